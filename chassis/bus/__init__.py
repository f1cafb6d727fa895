"""The bus: entry points for calls and events on nameko's `Consumer`, the relay, the RPC client, dead letters."""
