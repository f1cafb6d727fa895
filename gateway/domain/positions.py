"""Where a live stream stands, as its events' ids say it and as a browser that comes back repeats it."""

import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"([0-9]{1,18})?-([0-9a-f]{0,32})").fullmatch


@dataclass(frozen=True, slots=True)
class Position:
    """All up to `number` was told (None: not known yet), and of the game the state that has the digest `game`.

    Nothing in it belongs to one process: any of them goes on from it.
    """

    number: int | None = None
    game: str = ""

    def __str__(self) -> str:
        return f"{'' if self.number is None else self.number}-{self.game}"


def read_position(written: str | None) -> Position | None:
    """The position that `Last-Event-ID` names; None when it names none of ours, so that a stream begins now."""
    found = _WRITTEN(written) if written is not None and written.isascii() else None
    return Position(int(found[1]) if found[1] else None, found[2]) if found else None
