"""Python reads this before localstripe begins, which listens on every IPv6 address: tests listen on loopback only.

IPv4, since not every machine has IPv6.
"""

import socket
from typing import Any

_init, _bind = socket.socket.__init__, socket.socket.bind


def _init_of_ipv4(self: socket.socket, family: int = -1, *others: Any, **named: Any) -> None:
    _init(self, socket.AF_INET if family == socket.AF_INET6 else family, *others, **named)


def _bind_to_loopback(self: socket.socket, address: Any) -> None:
    _bind(self, ("127.0.0.1", *address[1:]) if address[0] == "::" else address)


socket.socket.__init__ = _init_of_ipv4  # type: ignore[method-assign]
socket.socket.bind = _bind_to_loopback  # type: ignore[method-assign,assignment]
