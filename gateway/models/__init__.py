"""What the routes read and write, one module per module of the contract."""
