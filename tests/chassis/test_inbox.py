"""Each event has its effect once, however often and to however many it is delivered; batches share a transaction."""

import random
from uuid import uuid4

from chassis.local.processes import wait_until
from contracts.topology import GAMIFICATION_LEARNING
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of


def test_an_event_that_is_delivered_again_has_no_second_effect(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    events = [lesson_completed() for _ in range(30)]
    envelopes = [envelope_of(event) for event in events]
    lessons = [event.lesson_id for event in events]
    shared_laboratory.publish_envelopes(envelopes)
    shared_laboratory.wait_for_effects(*lessons)
    repeated = shared_specimen.metric('events_handled_total{outcome="repeated",queue="gamification.learning"}')

    shared_laboratory.publish_envelopes(envelopes * 3)

    assert wait_until(
        lambda: (
            shared_specimen.metric('events_handled_total{outcome="repeated",queue="gamification.learning"}')
            == repeated + 90
        ),
        PATIENCE,
    )
    assert shared_laboratory.effects(*lessons) == [1] * 30


def test_an_event_twice_in_one_batch_has_one_effect(laboratory: Laboratory) -> None:
    envelopes = [envelope_of(event) for event in (lesson_completed(), lesson_completed())]
    laboratory.publish_envelopes(envelopes * 10)

    specimen = laboratory.start()

    keys = [envelope.subject for envelope in envelopes]
    laboratory.wait_for_effects(*keys)
    assert wait_until(lambda: laboratory.depth(GAMIFICATION_LEARNING.name) == 0, PATIENCE)
    assert laboratory.effects(*keys) == [1, 1]
    assert len(specimen.log_lines("a batch failed; each event alone")) == 0


def test_duplicates_at_two_consumer_processes_at_the_same_time_have_one_effect(laboratory: Laboratory) -> None:
    consumers = [laboratory.launch() for _ in range(2)]
    for consumer in consumers:
        consumer.wait_until_ready()
    events = [lesson_completed("sleep:0.002") for _ in range(300)]
    envelopes = [envelope_of(event) for event in events]
    deliveries = envelopes * 3
    random.Random(1).shuffle(deliveries)

    laboratory.publish_envelopes(deliveries)

    keys = [event.lesson_id for event in events]
    laboratory.wait_for_effects(*keys)
    handled = 'events_handled_total{outcome="%s",queue="gamification.learning"}'
    assert wait_until(
        lambda: (
            sum(consumer.metric(handled % outcome) for consumer in consumers for outcome in ("handled", "repeated"))
            >= 890
        ),
        PATIENCE,
    )
    assert laboratory.effects(*keys) == [1] * 300
    assert all(consumer.metric(handled % "handled") > 0 for consumer in consumers), "one of the two had nothing to do"
    assert sum(consumer.metric(handled % "handled") for consumer in consumers) == 300
    assert not any(consumer.metric(handled % "dead") for consumer in consumers)


def test_the_inbox_is_written_in_the_transaction_of_the_effect(laboratory: Laboratory) -> None:
    laboratory.start()
    failing, sound = lesson_completed("poison:rolled back"), lesson_completed()
    envelopes = [envelope_of(failing), envelope_of(sound)]

    laboratory.publish_envelopes(envelopes)

    assert wait_until(lambda: laboratory.depth(f"{GAMIFICATION_LEARNING.name}.dead") == 1, PATIENCE)
    inbox = laboratory.rows("select handler, event_id from inbox")
    assert [tuple(row) for row in inbox] == [(GAMIFICATION_LEARNING.name, envelopes[1].id)]


def test_a_hundred_waiting_events_are_handled_in_one_transaction_and_acknowledged_together(
    laboratory: Laboratory,
) -> None:
    lessons = laboratory.publish(*[""] * 400)

    laboratory.start()

    laboratory.wait_for_effects(*lessons)
    sizes = [row.size for row in laboratory.rows("select count(*) as size from effects group by batch")]
    assert sum(sizes) == 400
    assert max(sizes) == 100
    assert len(sizes) <= 12
    assert wait_until(lambda: _unacknowledged(laboratory) == 0, PATIENCE)


def test_what_is_told_by_a_handler_is_told_only_with_its_effect(laboratory: Laboratory) -> None:
    laboratory.start()
    courses = [uuid4() for _ in range(5)]

    laboratory.publish(*[f"tell:{course}" for course in courses], *["poison:untold"] * 2, times=2)

    laboratory.wait_for_effects(*courses)
    assert wait_until(lambda: laboratory.depth(f"{GAMIFICATION_LEARNING.name}.dead") >= 2, PATIENCE)
    assert laboratory.effects(*courses) == [1] * 5
    assert laboratory.scalar("select count(*) from event_log") == 5


def _unacknowledged(laboratory: Laboratory) -> int:
    """Messages of the queue that a consumer holds: what a purge and a close of the consumers would bring back."""
    with laboratory.channel() as channel:
        found = channel.queue_declare(laboratory.settings.bus_prefix + GAMIFICATION_LEARNING.name, passive=True)
        return int(found.message_count)
