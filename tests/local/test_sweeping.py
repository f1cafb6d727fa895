"""What a killed test run leaves is removed by the next one and by `./tanka down`; what lives is left alone."""

import secrets
import subprocess
import sys
from pathlib import Path

from chassis.local import lifecycle
from chassis.local.infrastructure import Infrastructure, read_private, taken
from chassis.local.places import CHECKOUT, STATE, private_directory
from chassis.local.processes import ProcessIdentity

START = (
    "import os, sys; from chassis.local.infrastructure import Infrastructure; from chassis.local.places import STATE;"
    "Infrastructure(STATE / sys.argv[1], sys.argv[1], print, throwaway=True, amqp_uri='amqp://elsewhere').start();"
    "os._exit(0)"
)


def _postgres(name: str) -> ProcessIdentity:
    identity = ProcessIdentity.from_kept(read_private(STATE / name / "infrastructure.json")["postgres"]["process"])
    assert identity is not None
    return identity


def test_the_servers_of_a_killed_run_are_ended_and_deleted() -> None:
    name = f"test-{secrets.token_hex(4)}"
    subprocess.run([sys.executable, "-c", START, name], cwd=CHECKOUT, check=True)
    left = _postgres(name)
    assert left.alive()

    lifecycle.sweep_tests()

    assert not left.alive()
    assert not (STATE / name).exists()
    assert not private_directory(name).exists()


def test_the_servers_of_a_living_run_are_left_alone() -> None:
    name = f"test-{secrets.token_hex(4)}"
    own = Infrastructure(STATE / name, name, print, throwaway=True, amqp_uri="amqp://elsewhere")
    try:
        own.start()

        lifecycle.sweep_tests()

        assert own.answers()
    finally:
        own.remove()
    assert not (STATE / name).exists()


def test_a_lock_that_tests_share_keeps_others_out_until_the_last_has_gone(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with taken(lock, shared=True) as first, taken(lock, shared=True) as second:
        assert first
        assert second
        with taken(lock) as alone:
            assert not alone
    with taken(lock) as alone:
        assert alone
