"""What an account may be: e-mail addresses, birth years, who may change what."""

import unicodedata
from datetime import datetime

OLDEST_AGE = 120
YOUNGEST_AGE = 4

PROFILE_ROLES = frozenset({"instructor", "admin"})
"""Who has a public profile with a picture and a text."""


def email_key(email: str) -> str:
    """What makes an address unique: the same for every spelling in other case or other Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).casefold())


def is_plausible_birth_year(year: int, now: datetime) -> bool:
    """Whether someone born in that year may be sitting at the keyboard."""
    return now.year - OLDEST_AGE <= year <= now.year - YOUNGEST_AGE


def may_have_profile(role: str) -> bool:
    """Whether this role shows a picture and a text with its courses."""
    return role in PROFILE_ROLES
