"""The rules of progress as pure functions."""
