"""What the services say to one another: events, the bus's topology, and errors. Imports nothing of ours."""
