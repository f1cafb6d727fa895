"""`python -m gateway`: the gateway's worker processes under granian, until SIGTERM; requests under way are finished."""

import contextlib
import os
import resource
import sys

from granian import Granian
from granian.constants import Interfaces

from chassis.settings import Settings, SettingsError
from chassis.telemetry import configure_logs
from gateway.signals import END_STREAMS
from gateway.tokens import KeyRing, new_signing_key

OPEN_FILES = 65_536
BACKPRESSURE = 4096
"""Connections that a worker takes at once; streams are many and idle."""

DRAIN_SECONDS = 10
_LOGS = {"version": 1, "disable_existing_loggers": False, "loggers": {"_granian": {"propagate": True}}}


class _Server(Granian):  # type: ignore[misc]
    """Granian, whose workers end their streams before they are to stop."""

    def shutdown(self, exit_code: int = 0) -> None:
        for worker in self.wrks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.inner.pid, END_STREAMS)
        super().shutdown(exit_code)


def main() -> None:
    """Serve."""
    settings = Settings.from_environment()
    configure_logs("gateway", settings.log_level)
    if settings.jwt_signing_key:
        KeyRing(settings.jwt_signing_key)
    else:
        # all workers must sign with the same key, even one that lives as long as they do
        os.environ["JWT_SIGNING_KEY"] = new_signing_key()
    with contextlib.suppress(ValueError, OSError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    _Server(
        "gateway.asgi:make",
        factory=True,
        address=settings.gateway_address,
        port=settings.gateway_port,
        interface=Interfaces.ASGI,
        workers=settings.gateway_workers,
        backlog=2048,
        backpressure=BACKPRESSURE,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
        log_dictconfig=_LOGS,
    ).serve()


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit(str(error))
