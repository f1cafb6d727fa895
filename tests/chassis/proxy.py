"""A door in front of a server, which a test can shut, or leave open with nothing coming through."""

import contextlib
import socket
import threading
import time

from sqlalchemy.engine import make_url


class Door:
    """Forwards a loopback port of its own to a server, as long as it is open.

    `delay` (seconds) is what each piece waits before it goes through; `passed` counts the connections let in.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self.delay = 0.0

    @classmethod
    def before(cls, url: str) -> "tuple[Door, str]":
        """A door before the server that the URL names, and the URL that leads through it."""
        parts = make_url(url)
        door = cls(parts.host or "127.0.0.1", parts.port or 5432)
        return door, door.url_of(url)

    def url_of(self, url: str) -> str:
        """The URL, leading through this door."""
        return make_url(url).set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)

    def shut(self) -> None:
        """Break every connection and refuse new ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()

    def open(self) -> None:
        """Let everybody in again, through the same port."""
        self._flowing.set()
        self._listener = self._listen(self.port)

    def break_connections(self) -> None:
        """Break every connection; new ones are let in."""
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def hush(self) -> None:
        """Keep every connection, but let nothing through any more."""
        self._flowing.clear()

    def unhush(self) -> None:
        """Let through what was held back, and what follows."""
        self._flowing.set()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self.passed += 1
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flowing.wait()
                time.sleep(self.delay)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
