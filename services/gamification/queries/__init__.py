"""The reads of the game, a module for each of its parts."""
