"""The service whose only method gives back what it got: what a call costs when nothing is done."""

# ruff: noqa: E402
from chassis import greening

greening.patch()

import sys

from chassis import telemetry
from chassis.runner import run
from chassis.service import Service, rpc
from chassis.settings import Settings


class EchoService(Service):
    """Owns nothing; hears and tells no event."""

    name = "echo"

    @rpc
    def echo(self, value: str) -> str:
        """The value."""
        return value


if __name__ == "__main__":
    settings = Settings.from_environment()
    telemetry.configure_logs("echo", settings.log_level)
    run(EchoService, settings, int(sys.argv[1]))
