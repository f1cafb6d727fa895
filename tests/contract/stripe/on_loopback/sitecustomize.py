"""Python reads this before localstripe begins, which listens on every address: tests listen on loopback only."""

import socket
from typing import Any

_bind = socket.socket.bind


def _bind_to_loopback(self: socket.socket, address: Any) -> None:
    _bind(self, ("::ffff:127.0.0.1", *address[1:]) if address[0] == "::" else address)


socket.socket.bind = _bind_to_loopback  # type: ignore[method-assign,assignment]
