"""What every service stands on: settings, database, bus, outbox, inbox, telemetry, health, runner."""
