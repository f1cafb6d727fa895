"""A process under eventlet is cooperative from its first import on, or does not start."""

import subprocess
import sys

from tests.chassis.specimen import CHECKOUT


def _python(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_psycopg_waits_in_the_hub_of_the_greenlets() -> None:
    done = _python(
        "from chassis import greening; greening.patch();"
        "import eventlet.patcher, psycopg.waiting as waiting;"
        "assert waiting.wait is waiting.wait_selector;"
        "assert all(eventlet.patcher.is_monkey_patched(one) for one in ('select', 'socket', 'thread', 'time'))"
    )

    assert done.returncode == 0, done.stderr


def test_a_process_that_imported_psycopg_too_early_refuses_to_start() -> None:
    done = _python("import psycopg; from chassis import greening; greening.patch()")

    assert done.returncode == 1
    assert "psycopg was imported before greening" in done.stderr


def test_the_process_of_the_tests_itself_is_not_greened() -> None:
    import eventlet.patcher

    assert not eventlet.patcher.is_monkey_patched("socket")
