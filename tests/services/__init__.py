"""Tests of one service each."""
