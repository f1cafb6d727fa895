"""Browsers that read live streams of an academy."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE = 20.0


@dataclass
class Listener:
    """A browser on a stream: a thread that keeps what comes."""

    events: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    ended: bool = False

    def of(self, kind: str) -> list[Any]:
        """The data of the events of this kind."""
        return [data for name, data in self.events if name == kind]

    def titles(self) -> list[str]:
        """The titles of the notifications that came."""
        return [data["title"] for data in self.of("notification")]

    def follow(self, answer: httpx.Response) -> None:
        """Keep what comes until the stream ends."""
        block: dict[str, str] = {}
        try:
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(":")
                    block[name] = value.removeprefix(" ")
                    continue
                if "id" in block:
                    self.ids.append(block["id"])
                if "event" in block:
                    self.events.append((block["event"], json.loads(block["data"])))
                block = {}
        except httpx.HTTPError:
            pass
        self.ended = True


@contextmanager
def listening(base_url: str, token: str | None, *, ticket: str = "", last: str = "") -> Iterator[Listener]:
    """A stream that is open and stands somewhere, read for as long as the block lasts."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Last-Event-ID": last} if last else {}
    listener = Listener()
    with (
        httpx.Client(base_url=base_url, timeout=httpx.Timeout(20, read=None)) as client,
        client.stream("GET", "/v1/me/stream", headers=headers, params={"ticket": ticket} if ticket else {}) as answer,
    ):
        assert answer.status_code == 200
        listener.headers = answer.headers
        thread = threading.Thread(target=listener.follow, args=(answer,), daemon=True)
        thread.start()
        if not last:
            until = time.monotonic() + PATIENCE
            while not listener.ids:
                assert time.monotonic() < until, "the stream does not begin"
                time.sleep(0.01)
        yield listener
