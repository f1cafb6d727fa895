"""Purchase on a real database, with a Stripe and a catalog that answer as they are told."""
