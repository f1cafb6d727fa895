"""The rules of purchase."""
