"""The catalog's rules, without a database."""
