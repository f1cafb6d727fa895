"""The private RabbitMQ node, on data that outlives what is known of it."""

import secrets

from chassis.local.infrastructure import Infrastructure
from chassis.local.places import STATE


def test_a_node_whose_password_was_forgotten_lets_us_in() -> None:
    name = f"test-{secrets.token_hex(4)}"
    own = Infrastructure(STATE / name, name, print, throwaway=True, database_url="postgresql://elsewhere")
    try:
        own.start()
        own.stop()
        (STATE / name / "infrastructure.json").unlink()

        own = Infrastructure(STATE / name, name, print, throwaway=True, database_url="postgresql://elsewhere")
        own.start()

        assert own.answers()
    finally:
        own.remove()
