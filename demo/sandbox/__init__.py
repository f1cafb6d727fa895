"""A small Stripe of our own, for tests and for the demo of an academy without keys: no real money, never in production.

It is a process of its own that speaks Stripe's HTTP API (`api`: Checkout Sessions, payment intents, charges, refunds,
disputes, events), shows the page to pay on (`pages`) and sends signed webhooks (`webhooks`); tests steer it over HTTP
(`control`). `payments` says what happens to the objects of `shapes`, which are kept in one SQLite file (`store`).
"""
