"""The rules of squads (product.md, "Squads")."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

MEMBERS_MAX = 50
"""Of a squad that is not official."""

NAME_LENGTH = (3, 30)
MOTTO_LENGTH_MAX = 140

VERIFIED_MIN = 3
"""So many members with a verified e-mail must have earned XP in the week that a squad wins."""

CHOICE_DELAY = timedelta(minutes=10)
"""How long after a week's end its squad is chosen: what was learned in its last minutes has arrived by then."""

RETURN_DELAY = timedelta(days=7)
"""How long someone whom a captain removed cannot join the same squad again."""


@dataclass(frozen=True)
class Member:
    """Someone in a squad."""

    user_id: UUID
    joined_at: datetime


def tidy(value: str) -> str:
    """A name or motto as it is stored: composed characters (NFC), single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def name_key(name: str) -> str:
    """What two names that look the same have in common: letters without accents, case, width and spaces."""
    # some letters have a case only once they are plain, and some are plain only in lower case
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(c for c in decomposed if c.isprintable() and not (unicodedata.combining(c) or c.isspace()))


def name_fault(name: str) -> str | None:
    """The code of what is wrong with a tidy name, or None."""
    shortest, longest = NAME_LENGTH
    if not shortest <= len(name) <= longest:
        return "squad-name-length"
    if not all(c.isprintable() for c in name) or len(name_key(name)) < shortest:
        return "squad-name-characters"
    return None


def motto_fault(motto: str) -> str | None:
    """The code of what is wrong with a tidy motto, or None."""
    if len(motto) > MOTTO_LENGTH_MAX:
        return "squad-motto-length"
    return None if all(c.isprintable() for c in motto) else "squad-motto-characters"


def is_full(members: int, *, official: bool) -> bool:
    """Whether nobody more may join."""
    return not official and members >= MEMBERS_MAX


def successor(members: Iterable[Member]) -> UUID | None:
    """Who becomes captain when a captain leaves: the oldest of those who stay, or nobody."""
    oldest = min(members, key=lambda member: (member.joined_at, member.user_id), default=None)
    return None if oldest is None else oldest.user_id
