"""The game on a real PostgreSQL."""
