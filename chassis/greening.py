"""Makes a process cooperative under eventlet: called before all other imports, and only in nameko's processes."""

import os
import warnings


def patch() -> None:
    """Patch the standard library for eventlet and psycopg for waiting in its hub.

    psycopg's C implementation waits in C and would block every greenlet; its Python wait function goes through the
    patched `select`. Raises `RuntimeError` when psycopg was imported too early to obey.
    """
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"
    with warnings.catch_warnings():
        # that eventlet is in maintenance is known; said before the logs are there, it would be no line of theirs
        warnings.filterwarnings("ignore", r"\s*Eventlet is deprecated")
        import eventlet

    eventlet.monkey_patch()

    from psycopg import waiting

    if waiting.wait is not waiting.wait_selector:
        raise RuntimeError("psycopg was imported before greening: it would block every greenlet of this process")
