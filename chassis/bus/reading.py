"""One reader per connection, and few system calls: all that has arrived is taken at once."""

from collections.abc import Callable
from typing import Any

from chassis.bus.broker import POLL

CHUNK = 65_536


def read_alone(connection: Any) -> None:
    """Prepare an established py-amqp connection for one reader beside any number of writers.

    py-amqp asks the socket for each part of each frame: ten system calls for one message, here two.
    """
    # one fixed time limit on the socket: writers share it with the reader, which must not switch it under them
    connection.transport.sock.settimeout(POLL)
    connection.transport._quick_recv = _read_ahead(connection.transport._quick_recv)


def _read_ahead(receive: Callable[[int], bytes]) -> Callable[[int], bytes]:
    arrived = b""
    taken = 0

    def read(count: int) -> bytes:
        nonlocal arrived, taken
        if taken == len(arrived):
            arrived, taken = receive(CHUNK), 0
        part = arrived[taken : taken + count]
        taken += len(part)
        return part

    return read
