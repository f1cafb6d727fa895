"""The sandbox and our expectations of Stripe, held against what Stripe publishes and against another fake of Stripe."""
