"""The catalog's rules: pure functions on plain values."""
