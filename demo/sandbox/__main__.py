"""`python -m demo.sandbox --port N --state FOLDER`: the sandbox as a process on loopback.

The environment names STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET and SANDBOX_WEBHOOK_URL, where webhooks are sent to.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from chassis import telemetry
from demo.sandbox.app import SandboxSettings, make_app

LOOPBACK = "127.0.0.1"


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing of requests: the supervisor's probes come all the time."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    reader = argparse.ArgumentParser(prog="python -m demo.sandbox")
    reader.add_argument("--port", type=int, required=True)
    reader.add_argument("--state", type=Path, required=True)
    arguments = reader.parse_args()
    if os.environ.get("ENVIRONMENT") == "production":
        print("The sandbox is not for production: no real money moves in it.", file=sys.stderr)
        return 1
    api_key, webhook_secret = (os.environ.get(name, "") for name in ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"))
    if not api_key or not webhook_secret:
        print("STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET must be set.", file=sys.stderr)
        return 1
    telemetry.configure_logs("sandbox", os.environ.get("LOG_LEVEL", "info"))
    arguments.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = SandboxSettings(
        state=arguments.state,
        base_url=f"http://{LOOPBACK}:{arguments.port}",
        api_key=api_key,
        webhook_secret=webhook_secret,
        webhook_url=os.environ.get("SANDBOX_WEBHOOK_URL", ""),
    )
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    server = make_server(LOOPBACK, arguments.port, make_app(settings), threaded=True, request_handler=_Silent)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    telemetry.get_logger("sandbox").info("sandbox ready", port=arguments.port)
    asked_to_stop.wait()
    server.shutdown()
    # answers that are held, and webhooks under way, are not waited for: the store has all that matters
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
