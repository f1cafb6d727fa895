"""Tests of the accounts, through the gateway's app, on a real database."""
