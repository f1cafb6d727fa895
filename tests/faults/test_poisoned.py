"""An event that cannot be handled waits in the dead-letter queue, with its reason, and holds nobody up."""

from uuid import uuid4

import httpx

from chassis.bus.dead_letters import list_dead_letters, replay_dead_letters
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.clock import now
from chassis.database import Database
from chassis.outbox import outbox_row, record
from chassis.rpc_client import RpcClient
from contracts.events import LessonCompleted
from contracts.topology import EVENT_EXCHANGE, GAMIFICATION_LEARNING
from tests.academy import AcademyUnderTest
from tests.faults.conftest import eventually_equal, learners


def test_a_poisoned_event_is_put_aside_and_the_queue_flows_on(academy: AcademyUnderTest, rpc: RpcClient) -> None:
    students = learners(academy, rpc, students=5, lessons=2)
    settings = academy.settings
    publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
    publisher.publish(
        [
            Outgoing(
                id="1",
                exchange=settings.bus_prefix + EVENT_EXCHANGE,
                routing_key=LessonCompleted.type,
                body=b"\x00 no event",
                content_type="application/cloudevents+json",
                headers={},
            )
        ]
    )
    publisher.close()
    nowhere = _tell_of_a_zone_that_is_none(academy)

    with httpx.Client(timeout=10) as client:
        for user_id in students.seed.tokens:
            students.complete(client, user_id, students.seed.lesson_ids[0])
    eventually_equal(students.xp, dict.fromkeys(students.seed.tokens, 20))

    def dead() -> list[tuple[str | None, bool]]:
        letters = list_dead_letters(settings, GAMIFICATION_LEARNING.name)
        return sorted(((letter.event_id, bool(letter.reason and letter.failed_at)) for letter in letters), key=str)

    eventually_equal(dead, sorted([(None, True), (nowhere, True)], key=str))
    assert replay_dead_letters(settings, GAMIFICATION_LEARNING.name) == 2
    eventually_equal(dead, sorted([(None, True), (nowhere, True)], key=str))


def _tell_of_a_zone_that_is_none(academy: AcademyUnderTest) -> str:
    """Put an event into progress' outbox that gamification cannot handle; the event's id."""
    event = LessonCompleted(
        user_id=uuid4(),
        course_id=uuid4(),
        lesson_id=uuid4(),
        completed_at=now(),
        time_zone="Nowhere/Land",
        access="free",
        hasty=False,
    )
    row = outbox_row(event)
    database = Database(academy.database_url("progress"), pool_size=1)
    with database.unit_of_work() as unit_of_work:
        record(unit_of_work.connection, [row])
    database.close()
    return str(row["id"])
