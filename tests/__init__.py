"""The tests of the academy; `./tanka test` runs them all."""
