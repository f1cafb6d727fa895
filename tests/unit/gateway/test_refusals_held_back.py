"""A "not now" is held back without holding a thread, so that callers who do not wait cost the others little."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from gateway.wsgi import BufferedWsgi, Scope

CALLERS = 20


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("503 Service Unavailable" if environ["PATH_INFO"] == "/away" else "200 OK", [])
    return [b""]


def scope(path: str) -> Scope:
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "http_version": "1.1", "headers": []}


def test_with_one_thread_a_page_overtakes_twenty_refusals() -> None:
    order: list[int] = []

    async def ask(flask: BufferedWsgi, path: str) -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                order.append(message["status"])

        async def receive() -> Any:
            raise AssertionError("there is no body to read")

        await flask(scope(path), receive, send)

    async def all_at_once() -> None:
        flask = BufferedWsgi(app, threads=1, maximum_body_bytes=0)
        await asyncio.gather(*(ask(flask, "/away") for _ in range(CALLERS)), ask(flask, "/page"))

    asyncio.run(all_at_once())
    assert order == [200] + [503] * CALLERS
