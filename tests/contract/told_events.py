"""The events that were told before, as files."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "told"
PATHS = sorted(FOLDER.glob("*.json"))

each_told_event = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def members_of(path: Path) -> dict[str, Any]:
    """The event on the wire, as parsed JSON."""
    members: dict[str, Any] = json.loads(path.read_bytes())
    return members
