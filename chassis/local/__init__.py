"""Everything that makes the academy run on one machine: PostgreSQL, RabbitMQ, the supervisor and the command line."""
