"""The rules of purchase as pure functions."""
