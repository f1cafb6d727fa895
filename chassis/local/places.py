"""Where the academy keeps things on this machine, and as whom PostgreSQL runs."""

import hashlib
import os
import pwd
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".tanka"
"""The checkout's own folder for state, logs, ports and keys."""

SHARED = Path("/var/lib/tanka")
"""Where root keeps what an unprivileged user must be able to read."""


def private_directory(name: str) -> Path:
    """Return the folder for the data called `name`: under .tanka/, or for root one that PostgreSQL's user may enter."""
    if os.geteuid() != 0:
        return STATE / name
    return SHARED / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12] / name


def unprivileged_user() -> tuple[int, int] | None:
    """Return user and group ids that PostgreSQL must run as, or None to run as we are (it refuses to run as root)."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def make_directory(path: Path, owner: tuple[int, int] | None = None) -> Path:
    """Make `path` readable by its owner alone, and give it to `owner` when one is named."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if owner is not None:
        os.chown(path, *owner)
    return path


def remove_empty_parents(path: Path) -> None:
    """Remove the folders of ours above `path` that hold nothing any more."""
    for parent in path.parents:
        if parent not in (STATE, SHARED) and STATE not in parent.parents and SHARED not in parent.parents:
            return
        try:
            parent.rmdir()
        except OSError:
            return
