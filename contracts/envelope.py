"""The envelope of every event: CloudEvents 1.0 in structured JSON, with partitioning, sequence and tracing.

Attribute names are lower case letters and digits, as CloudEvents rules: `correlation_id` travels as `correlationid`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
"""CloudEvents' JSON Batch Format: one message for many events."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event on the wire. `data` stays encoded until its type is known.

    `partition_key` is the aggregate's id; `sequence` grows by one with each change of that aggregate (0 where facts
    commute and no order is needed).
    """

    id: UUID
    source: str
    type: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    subject: str
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    dataschema: str
    partition_key: str = msgspec.field(name="partitionkey")
    sequence: int = 0
    correlation_id: str | None = msgspec.field(name="correlationid", default=None)
    causation_id: str | None = msgspec.field(name="causationid", default=None)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_batch_decoder = msgspec.json.Decoder(tuple[Envelope, ...])


def encode(envelope: Envelope) -> bytes:
    """The envelope as the body of a message."""
    return _encoder.encode(envelope)


def decode(body: bytes) -> Envelope:
    """The envelope in the body of a message. Raises `msgspec.MsgspecError` when it is none."""
    return _decoder.decode(body)


def encode_batch(envelopes: Sequence[Envelope]) -> bytes:
    """The envelopes as the body of one message."""
    return _encoder.encode(envelopes)


def decode_batch(body: bytes) -> tuple[Envelope, ...]:
    """The envelopes in the body of a batch. Raises `msgspec.MsgspecError` when it is none."""
    return _batch_decoder.decode(body)
