"""In place of the gateway, where only the supervisor is under test."""

import os
import signal
import sys
import threading

from chassis import health

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
health.serve("127.0.0.1", int(os.environ["GATEWAY_PRIVATE_PORT"]), dict)
threading.Event().wait()
