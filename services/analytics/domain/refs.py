"""Links that instructors put under their videos."""

import secrets
import string
import unicodedata
from urllib.parse import urlencode, urlsplit

MAXIMUM_CHARACTERS = 300
REF_CHARACTERS = 10


def is_target(target: str) -> bool:
    """Return whether this is a path within the front end, so that a link can lead nowhere else."""
    return (
        len(target) <= MAXIMUM_CHARACTERS
        and target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and not any(unicodedata.category(character) in ("Cc", "Cs") for character in target)
    )


def new_ref() -> str:
    """Return a ref that nobody guesses; whether it is taken already must be seen when it is kept."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(REF_CHARACTERS))


def link(front_url: str, target: str, ref: str) -> str:
    """Return the address of the target in the front end with the ref in its query."""
    parts = urlsplit(target)
    query = "&".join(part for part in (parts.query, urlencode({"ref": ref})) if part)
    return front_url.rstrip("/") + parts._replace(query=query).geturl()
