"""An HTTP server in place of the academy that keeps what webhooks bring."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """Where webhooks go to, and what came: bodies with their signature. `refusals` of the next are answered 503."""

    url: str = ""
    refusals: int = 0
    refused: int = 0
    received: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver as long as the context."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if receiver.refused < receiver.refusals:
                receiver.refused += 1
                self.send_response(503)
            else:
                receiver.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/v1/webhooks/stripe"
    yield receiver
    server.shutdown()
    server.server_close()
