"""Runs one service in this process: `python -m chassis.local.single SERVICE PRIVATE_PORT`."""

from chassis import greening

greening.patch()

import sys  # noqa: E402

from chassis.runner import run_service  # noqa: E402
from chassis.settings import SettingsError  # noqa: E402

if __name__ == "__main__":
    try:
        run_service(sys.argv[1], int(sys.argv[2]))
    except SettingsError as error:
        sys.exit(str(error))
