"""What granian serves in each worker process: streams natively, every other route by Flask in threads."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time

from chassis.settings import Settings
from chassis.telemetry import configure_logs
from gateway.app import MAXIMUM_BODY_BYTES
from gateway.process import Process
from gateway.signals import END_STREAMS
from gateway.streams import STREAM_VARIABLE
from gateway.wsgi import BufferedWsgi, Receive, Scope, Send, environment

LOOK_SECONDS = 0.5
LAST_SECONDS = 5.0
"""What a process whose parent is gone may still need for its last answers."""


class GatewayAsgi:
    """The ASGI app of one process."""

    def __init__(self, process: Process, threads: int) -> None:
        self._process = process
        self._streams = process.app.parts.streams
        self._flask = BufferedWsgi(process.app, threads=threads, maximum_body_bytes=MAXIMUM_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or follow the server's start and end."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = environment(scope)
        answer = await self._flask.answer(environ, receive)
        if answer is None:
            return
        opening = environ.get(STREAM_VARIABLE)
        if opening is None or scope["method"] != "GET":
            await self._flask.reply(answer, send)
            return
        _, headers, _ = answer
        await self._streams.serve(
            opening, [header for header in headers if header[0] != b"content-length"], receive, send
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await loop.run_in_executor(None, self._process.start)
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                self._streams.start()
                loop.add_signal_handler(END_STREAMS, self._streams.end_all)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._streams.end_all()
                await loop.run_in_executor(None, self._stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _stop(self) -> None:
        self._flask.close()
        self._process.stop()


def make() -> GatewayAsgi:
    """The app of this process, from the environment's settings. The process ends when its parent does."""
    end_with_parent()
    settings = Settings.from_environment()
    configure_logs("gateway", settings.log_level)
    return GatewayAsgi(Process(settings), settings.gateway_threads)


def end_with_parent() -> None:
    """End this process when the one that made it does, or has ended already."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        # os.getppid() names another process by now, should the parent have died meanwhile
        threading.Thread(target=_follow, args=(parent.pid,), name="parent", daemon=True).start()


def _follow(parent: int | None) -> None:
    """End this process once its parent was killed: it would go on serving the port, beside those that follow."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_SECONDS)
    os._exit(1)
