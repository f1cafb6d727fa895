"""What all events have in common."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its offset from UTC: one without would mean another moment to each reader."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. `type` is `<service>.<fact>.v<version>`; readers ignore fields they do not know."""

    type: ClassVar[str]

    def partition_key(self) -> str:
        """The id of the aggregate that this fact is about."""
        raise NotImplementedError

    @classmethod
    def event_source(cls) -> str:
        """The service that tells it, as CloudEvents' `source`."""
        return f"/services/{cls.type.split('.', 1)[0]}"

    @classmethod
    def data_schema(cls) -> str:
        """Where its JSON schema is stored, as CloudEvents' `dataschema`."""
        return f"https://tanka.example/contracts/schemas/{cls.type}.json"
