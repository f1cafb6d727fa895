"""The rules of the game: who earns how much and when. Pure functions of the standard library."""
