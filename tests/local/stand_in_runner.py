"""In place of chassis.runner, where only the supervisor is under test: a process that is ready and no more."""

import os
import signal
import time
from pathlib import Path

from chassis import health


def run_service(name: str, private_port: int) -> None:
    """Be ready until SIGTERM. The service called `broken` dies at once, as long as the file BROKEN exists."""
    if name == "broken" and Path(os.environ["BROKEN"]).exists():
        raise RuntimeError("the setting FOO is missing")
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    health.serve("127.0.0.1", private_port, dict)
    while not stopped:
        time.sleep(0.05)
    print(f"{name} drained", flush=True)
