"""What architecture.md says of the bus, statement by statement, against real servers and real processes."""
