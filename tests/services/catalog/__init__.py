"""The catalog on a real PostgreSQL."""
