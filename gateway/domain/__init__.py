"""The rules of the accounts, as pure functions."""
