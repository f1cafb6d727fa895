"""Stores the schema of every event: `python -m contracts.schemas`."""

import sys

from contracts.events import EVENTS
from contracts.schemas import STORED, write

broken = write(EVENTS)
if broken:
    sys.exit("\n".join([*broken, "Nothing was written. Make this a new event, .v2, told beside the old one."]))
sys.stdout.write(f"{len(EVENTS)} schemas in {STORED}\n")
