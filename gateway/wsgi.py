"""Runs a WSGI app behind ASGI: the body is read whole, the app answers in a thread, the answer is sent whole."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from urllib.parse import quote

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]

TOO_LARGE = "tanka.too_large"
"""Set in the environment instead of a body over the limit: the app refuses it in its own words."""

UNAVAILABLE_PAUSE = 0.1
"""Seconds that a "not now" is held back."""


class BufferedWsgi:
    """An ASGI app for HTTP requests around a WSGI app. At most `threads` requests are answered at once."""

    def __init__(self, app: WsgiApp, *, threads: int, maximum_body_bytes: int) -> None:
        self._app = app
        self._maximum = maximum_body_bytes
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self.answer(environment(scope), receive)
        if answer is not None:
            await self.reply(answer, send)

    async def answer(self, environ: dict[str, Any], receive: Receive) -> Answer | None:
        """The app's answer, not yet sent; none when the caller went away meanwhile."""
        if _has_body(environ):
            body = await self._read(environ, receive)
            if body is None:
                return None
        else:
            body = b""
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, environ)

    async def reply(self, answer: Answer, send: Send) -> None:
        """Send an answer."""
        status, headers, content = answer
        if status == 503:
            # no thread waits here, so callers who ask again at once take little from everybody else
            await asyncio.sleep(UNAVAILABLE_PAUSE)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    def close(self) -> None:
        """Let the requests under way end."""
        self._pool.shutdown(wait=True)

    async def _read(self, environ: dict[str, Any], receive: Receive) -> bytes | None:
        """The whole body; nothing of one that is too large; None when the caller went away."""
        declared = environ.get("CONTENT_LENGTH", "")
        if declared.isdigit() and int(declared) > self._maximum:
            environ[TOO_LARGE] = True
            return b""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._maximum:
                environ[TOO_LARGE] = True
                return b""
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _answer(self, environ: dict[str, Any]) -> Answer:
        status = 500
        headers: Headers = []

        def start_response(line: str, found: list[tuple[str, str]], exc_info: Any = None) -> None:
            nonlocal status, headers
            status = int(line[:3])
            headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in found]

        parts = self._app(environ, start_response)
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return status, headers, content


def environment(scope: Scope) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI request; the input is to be added."""
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "RAW_URI": _raw_path(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        value = raw_value.decode("latin-1")
        if name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[name] = value
        else:
            key = f"HTTP_{name}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(scope["path"])


def _has_body(environ: dict[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ
