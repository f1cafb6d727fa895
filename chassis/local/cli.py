"""The command line behind ./tanka."""

print("hello")
