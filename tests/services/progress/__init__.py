"""Progress on a real PostgreSQL."""
