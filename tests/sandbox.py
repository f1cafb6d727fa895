"""The sandbox in place of Stripe, as tests run and steer it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from chassis.local.places import CHECKOUT
from chassis.local.processes import free_ports, wait_until
from chassis.local.supervisor import ask_ready

API_KEY = "sk_test_sandbox_of_a_test"
WEBHOOK_SECRET = "whsec_of_a_test"
READY_PATIENCE = 20.0


class Hold:
    """The next answer to a kind of request, kept back after the work is done."""

    def __init__(self, sandbox: "Sandbox", identifier: str) -> None:
        self._sandbox = sandbox
        self._id = identifier

    def wait_until_holding(self) -> None:
        """Wait until a request was carried out whose answer is held now."""
        assert wait_until(lambda: self.state() == "holding", READY_PATIENCE), self.state()

    def state(self) -> str:
        """waiting, holding or over."""
        return str(self._sandbox.ask("GET", f"/holds/{self._id}")["state"])

    def release(self) -> None:
        """Let the answer go."""
        self._sandbox.ask("POST", f"/holds/{self._id}/release")


class Sandbox:
    """The controls of a sandbox at `url`; answers are Stripe's objects. Whatever it refuses fails the test."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key

    def pay(self, session_id: str) -> Any:
        """Pay on a page by card."""
        return self.ask("POST", f"/sessions/{session_id}/pay")

    def decline(self, session_id: str) -> Any:
        """Let the card be refused; the page stays open."""
        return self.ask("POST", f"/sessions/{session_id}/decline")

    def pay_later(self, session_id: str) -> Any:
        """Let the money be collected from a bank account, until `settle`."""
        return self.ask("POST", f"/sessions/{session_id}/pay_later")

    def settle(self, session_id: str, outcome: str) -> Any:
        """Let the money arrive (`succeed`) or not (`fail`)."""
        return self.ask("POST", f"/sessions/{session_id}/settle", outcome=outcome)

    def expire(self, session_id: str) -> Any:
        """Let a page's time be over."""
        return self.ask("POST", f"/sessions/{session_id}/expire")

    def refund(self, payment_intent_id: str, amount: int | None = None) -> Any:
        """Give back some of a payment, or all that is left, as from Stripe's dashboard."""
        given = {} if amount is None else {"amount": amount}
        return self.ask("POST", f"/payment_intents/{payment_intent_id}/refund", **given)

    def dispute(self, payment_intent_id: str, amount: int | None = None, status: str = "needs_response") -> Any:
        """Let a bank dispute a payment, or with `warning_needs_response` ask about it."""
        return self.ask("POST", f"/payment_intents/{payment_intent_id}/dispute", status=status, amount=amount)

    def close_dispute(self, dispute_id: str, status: str) -> Any:
        """Let a bank decide: won, lost, warning_closed."""
        return self.ask("POST", f"/disputes/{dispute_id}/close", status=status)

    def turn_webhooks(self, position: str) -> None:
        """`off`: what happens from now on is never told; `on`: it is."""
        self.ask("POST", f"/webhooks/{position}")

    def send_again(self, event_id: str) -> None:
        """Deliver an event once more, or one that was never told."""
        self.ask("POST", f"/events/{event_id}/send")

    def deliveries(self) -> list[dict[str, Any]]:
        """All deliveries of events in order: `event_id, state (waiting, delivered, kept), attempts, said`."""
        return list(self.ask("GET", "/deliveries")["deliveries"])

    def waiting(self) -> list[dict[str, Any]]:
        """The deliveries that the academy has not taken yet."""
        return [one for one in self.deliveries() if one["state"] == "waiting"]

    def wait_until_told(self, patience: float = READY_PATIENCE) -> None:
        """Wait until the academy has taken all that is to be told."""
        assert wait_until(lambda: not self.waiting(), patience), self.waiting()

    def hold(self, request: str, seconds: float = 30) -> Hold:
        """Hold back the next answer to a request such as `POST /v1/refunds` or `GET /v1/payment_intents/<id>`."""
        return Hold(self, str(self.ask("POST", "/holds", request=request, seconds=seconds)["id"]))

    def fail(self, request: str, times: int = 1, status: int = 500, seconds: float = 0) -> None:
        """Let the next such requests fail, each after so many seconds, with nothing done."""
        self.ask("POST", "/failures", request=request, times=times, status=status, seconds=seconds)

    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind: `checkout.session`, `charge`, ..."""
        return dict(self.ask("GET", "/counts"))

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The last hundred events, or those of a type, newest first."""
        parameters = {"limit": "100"} | ({"type": kind} if kind else {})
        return list(self._answer("GET", "/v1/events", params=parameters)["data"])

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """The answer of a control."""
        return self._answer(method, f"/_sandbox{path}", json=given if method == "POST" else None)

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers, timeout=10, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


class SandboxProcess(Sandbox):
    """A sandbox of a test's own."""

    def __init__(self, state: Path, webhook_url: str = "") -> None:
        self._port = free_ports(1)[0]
        super().__init__(f"http://127.0.0.1:{self._port}", API_KEY)
        self._state = state
        self._webhook_url = webhook_url
        self.start()

    def start(self) -> None:
        """Start it, where it was and with what it remembers, and wait until it is ready."""
        environment = os.environ | {
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SANDBOX_WEBHOOK_URL": self._webhook_url,
        }
        command = [sys.executable, "-m", "demo.sandbox", "--port", str(self._port), "--state", str(self._state)]
        self.process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
        assert wait_until(lambda: ask_ready(self._port) is None, READY_PATIENCE)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it in order; it must end well within a second."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(2) == 0


@contextlib.contextmanager
def running_sandbox(state: Path, webhook_url: str = "") -> Iterator[SandboxProcess]:
    """A sandbox with its state in this folder as long as the context; settings: API_KEY, WEBHOOK_SECRET, its `url`."""
    sandbox = SandboxProcess(state, webhook_url)
    try:
        yield sandbox
    finally:
        if sandbox.process.poll() is None:
            sandbox.stop()
