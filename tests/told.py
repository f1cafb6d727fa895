"""Events as services tell them, for tests that hand them over themselves."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from chassis.clock import now
from contracts.envelope import Envelope
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, Money


def envelope_of(event: Event, **changes: Any) -> Envelope:
    """The envelope that the relay would put around the event."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "source": event.event_source(),
        "type": event.type,
        "time": now(),
        "subject": event.partition_key(),
        "data": msgspec.Raw(msgspec.json.encode(event)),
        "dataschema": event.data_schema(),
        "partition_key": event.partition_key(),
    }
    return Envelope(**(values | changes))


def course_changed(**changes: Any) -> CourseChanged:
    """A published free course without chapters."""
    values: dict[str, Any] = {
        "course_id": uuid4(),
        "slug": "un-cours",
        "title": "Un cours",
        "instructor_id": uuid4(),
        "status": "published",
        "category": "dev-web",
        "price": Money(0, "EUR"),
        "practical": False,
        "published_at": datetime(2026, 11, 23, 12, tzinfo=UTC),
    }
    return CourseChanged(**(values | changes))
