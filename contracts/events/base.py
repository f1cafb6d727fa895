"""What all events have in common."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. `type` is `<service>.<fact>.v<version>`; readers ignore fields they do not know."""

    type: ClassVar[str]

    def partition_key(self) -> str:
        """The id of the aggregate that this fact is about."""
        raise NotImplementedError

    @classmethod
    def source(cls) -> str:
        """The service that tells it, as CloudEvents' `source`."""
        return f"/services/{cls.type.split('.', 1)[0]}"

    @classmethod
    def data_schema(cls) -> str:
        """Where its JSON schema is stored, as CloudEvents' `dataschema`."""
        return f"/contracts/schemas/{cls.type}.json"
