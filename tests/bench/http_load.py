"""A closed-loop HTTP/1.1 load: so many requests in flight on kept-alive connections, from one process with little CPU.

A Python HTTP library would cost more per request than the gateway; this writes prepared bytes and reads up to the
Content-Length.
"""

import itertools
import re
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Outcome:
    """What a load saw; latencies in seconds, `statuses` by HTTP status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def __iadd__(self, other: "Outcome") -> "Outcome":
        """Count another round as well."""
        self.seconds += other.seconds
        self.latencies += other.latencies
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        return self

    @property
    def rate(self) -> float:
        """Good answers (2xx) a second."""
        return sum(count for status, count in self.statuses.items() if status < 300) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in seconds that this share of the answers stayed under."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class _Connection:
    def __init__(self, address: tuple[str, int]):
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_at = 0.0
        self.received = b""

    def send(self, request: bytes, due_at: float) -> None:
        self.due_at = due_at
        self.received = b""
        self.sock.sendall(request)

    def status_when_whole(self) -> int | None:
        """Read what is there; the answer's status once it has arrived whole."""
        self.received += self.sock.recv(65536)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        found = _LENGTH.search(head)
        if found and len(body) < int(found[1]):
            return None
        return int(head[9:12])


def request_bytes(
    base_url: str, method: str, path: str, *, token: str | None = None, body: bytes | None = None
) -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(base_url).netloc}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def drive(
    base_url: str, requests: Iterator[bytes], in_flight: int, seconds: float, pace: float | None = None
) -> Outcome:
    """Keep `in_flight` requests going until the time is over or the requests are used up.

    With `pace` (requests a second) each is sent when it is due, at most `in_flight` at once, and its latency counts
    from the moment it was due.
    """
    address = (urlsplit(base_url).hostname or "", urlsplit(base_url).port or 80)
    outcome = Outcome()
    selector = selectors.DefaultSelector()
    idle = [_Connection(address) for _ in range(in_flight)]
    busy = 0
    due = 0
    began = time.perf_counter()
    while True:
        at = time.perf_counter() - began
        while idle and at < seconds and (pace is None or due <= at * pace):
            request = next(requests, None)
            if request is None:
                seconds = at
                break
            connection = idle.pop()
            connection.send(request, began + due / pace if pace else time.perf_counter())
            selector.register(connection.sock, selectors.EVENT_READ, connection)
            due += 1
            busy += 1
        if not busy and at >= seconds:
            break
        for key, _events in selector.select(timeout=None if pace is None else 0.001):
            connection = key.data
            status = connection.status_when_whole()
            if status is not None:
                outcome.latencies.append(time.perf_counter() - connection.due_at)
                outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
                selector.unregister(connection.sock)
                idle.append(connection)
                busy -= 1
    outcome.seconds = time.perf_counter() - began
    return outcome


def drive_over(base_url: str, requests: list[bytes], in_flight: int, seconds: float) -> Outcome:
    """As `drive`, with the same requests over and over; for a process of its own."""
    return drive(base_url, itertools.cycle(requests), in_flight, seconds)
