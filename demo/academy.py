"""The academy as a browser sees it: JSON over HTTP on one kept connection."""

import http.client
import time
import uuid
from dataclasses import dataclass
from email.message import Message
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

ANSWER_SECONDS = 15.0
PATIENCE_SECONDS = 60.0


class Refused(Exception):
    """The academy answered with a problem: its HTTP status, its slug such as `bad-credentials`, its text."""

    def __init__(self, status: int, problem: str, detail: str) -> None:
        super().__init__(f"{status} {problem}: {detail}")
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Account:
    """Somebody logged in."""

    id: str
    role: str
    token: str


class Academy(Protocol):
    """What the loader needs of the academy."""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        media_type: str = "application/json",
        once: bool = False,
    ) -> Any:
        """The answer, JSON decoded; None when it is empty. Raises `Refused`.

        A POST that is to happen `once` happens once for who asks, where and with what, in however many runs.
        """


class HttpAcademy:
    """The academy at a base URL such as `http://127.0.0.1:8000`; for one thread.

    What the academy cannot answer just now (a broken connection, 429, 503, a first attempt still running) is asked
    again until `PATIENCE_SECONDS` are over, a POST under the same idempotency key. What has moved for good is followed.
    """

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(address.hostname or "127.0.0.1", address.port, timeout=ANSWER_SECONDS)
        self._root = address.path.rstrip("/")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        media_type: str = "application/json",
        once: bool = False,
    ) -> Any:
        """The answer, JSON decoded; None when it is empty. Raises `Refused`, or `OSError` when nobody answers.

        `once` is for POSTs whose effect the academy knows by their key for good: squads, duels, purchases.
        """
        headers = {"Accept": "application/json, text/vtt", "Accept-Language": "en"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        content = body.encode() if isinstance(body, str) else None if body is None else msgspec.json.encode(body)
        if method == "POST":
            said = f"{path} {(content or b'').decode()}"
            headers["Idempotency-Key"] = str(uuid.uuid5(uuid.NAMESPACE_URL, said) if once else uuid.uuid4())
        if content is not None:
            headers["Content-Type"] = media_type
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status, answered, answer = self._ask(method, self._root + path, content, headers)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if time.monotonic() > until:
                    raise OSError(f"{method} {path}: no answer ({error})") from error
                time.sleep(0.2)
                continue
            pause = float(answered.get("Retry-After", "0.5"))
            later = status in (429, 503) or (status == 409 and b"/problems/request-in-progress" in answer)
            if later and time.monotonic() + pause < until:
                time.sleep(pause)
            elif status == 308:
                path = urlsplit(answered["Location"]).path.removeprefix(self._root)
            else:
                return _decoded(status, answered.get_content_type(), answer)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Message, bytes]:
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()


def _decoded(status: int, media_type: str, answer: bytes) -> Any:
    if status < 300:
        if media_type == "application/json":
            return msgspec.json.decode(answer)
        return answer.decode() or None
    try:
        problem = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    slug = str(problem.get("type", "")).removeprefix("/problems/")
    reason = problem.get("detail") or problem.get("title") or answer[:200].decode(errors="replace")
    raise Refused(status, slug, f"{reason} {problem.get('errors') or ''}".strip())
