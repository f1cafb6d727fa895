"""What stays true when processes are killed and servers go away."""
