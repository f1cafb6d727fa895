"""What services promise one another: schemas, the envelope, the topology."""
