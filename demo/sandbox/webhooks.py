"""Sends events to the academy as Stripe does: signed, again and again until they are taken."""

import hashlib
import hmac
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from chassis import telemetry
from demo.sandbox.payments import Payments
from demo.sandbox.shapes import API_VERSION
from demo.sandbox.store import Delivery, Store

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
GIVEN_UP_AFTER = 3 * 86_400.0
"""Seconds after which Stripe stops trying, and so does the sandbox."""

ANSWER_SECONDS = 10.0
AT_ONCE = 4
PULSE = 0.25

_log = telemetry.get_logger("webhooks")


def signature(payload: bytes, secret: str, at: int) -> str:
    """Return the header `Stripe-Signature` of a payload sent at these epoch seconds."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def pause_after(attempts: int) -> float:
    """Return the seconds between a failed attempt and the next one, after so many."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)


class Webhooks:
    """Delivers what waits in the store, several at once and so in no certain order, and closes pages in time."""

    def __init__(self, store: Store, base_url: str, url: str, secret: str) -> None:
        self._store = store
        self._base_url = base_url
        self._url = url
        self._secret = secret
        self._something_happened = threading.Event()
        self._under_way: set[int] = set()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    def start(self) -> None:
        """Begin in a thread of its own, which ends with the process; what was not delivered then is so after."""
        threading.Thread(target=self._run, name="webhooks", daemon=True).start()

    def wake(self) -> None:
        """Look at once whether there is something to deliver."""
        self._something_happened.set()

    def _run(self) -> None:
        while True:
            self._something_happened.wait(PULSE)
            self._something_happened.clear()
            now = time.time()
            if self._store.expiring(int(now)):
                with self._store.transaction():
                    Payments(self._store, self._base_url, int(now)).expire_due()
            if not self._url:
                continue
            for delivery in self._store.due_deliveries(now, AT_ONCE + len(self._under_way)):
                if delivery.number not in self._under_way:
                    self._under_way.add(delivery.number)
                    self._pool.submit(self._attempt, delivery)

    def _attempt(self, delivery: Delivery) -> None:
        try:
            event = self._store.get("event", delivery.event_id)
            assert event is not None
            delivered, said = self._send(json.dumps(event, indent=2).encode())
            now = time.time()
            over = now - event["created"] > GIVEN_UP_AFTER
            state = "delivered" if delivered else "kept" if over else "waiting"
            self._store.attempted(delivery.number, state, now + pause_after(delivery.attempts + 1), said)
            log = _log.info if delivered else _log.warning
            log("webhook", event=event["id"], type=event["type"], said=said, attempt=delivery.attempts + 1, state=state)
        finally:
            self._under_way.discard(delivery.number)
            self.wake()

    def _send(self, payload: bytes) -> tuple[bool, str]:
        """Return whether the academy took it, and what it said, or why it said nothing."""
        address = urlsplit(self._url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=ANSWER_SECONDS)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, self._secret, int(time.time())),
            "User-Agent": f"Stripe/1.0 (sandbox of TankaAcademy; {API_VERSION})",
        }
        try:
            connection.request("POST", address.path or "/", payload, headers)
            answer = connection.getresponse()
            answer.read(1000)
            return 200 <= answer.status < 300, f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            return False, str(error) or type(error).__name__
        finally:
            connection.close()
