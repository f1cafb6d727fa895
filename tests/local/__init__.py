"""Tests of what runs the academy on one machine."""
