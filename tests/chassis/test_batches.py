"""A message that carries many events succeeds or fails whole; its events have their effects once."""

from uuid import uuid4

import pytest

from chassis.bus.dead_letters import DeadLetter, list_dead_letters, replay_dead_letters
from chassis.bus.publisher import Outgoing
from chassis.local.processes import wait_until
from contracts.envelope import BATCH_CONTENT_TYPE, Envelope, encode, encode_batch
from contracts.topology import GAMIFICATION_LEARNING
from tests.chassis.conftest import RETRY_DELAYS
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of

QUEUE = GAMIFICATION_LEARNING.name


def send(laboratory: Laboratory, *bodies: bytes) -> None:
    """Send bodies as batches to the specimen's queue."""
    laboratory.publish_raw(
        [
            Outgoing(str(number), "", laboratory.settings.bus_prefix + QUEUE, body, BATCH_CONTENT_TYPE, {})
            for number, body in enumerate(bodies)
        ]
    )


def some(*instructions: str) -> tuple[list[Envelope], list[str]]:
    """Envelopes of new events, and the keys of their effects."""
    envelopes = [envelope_of(lesson_completed(instruction)) for instruction in instructions]
    return envelopes, [envelope.subject for envelope in envelopes]


def test_all_events_of_a_batch_have_their_effects_in_one_transaction(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    envelopes, keys = some(*[""] * 250)

    send(shared_laboratory, encode_batch(envelopes))

    shared_laboratory.wait_for_effects(*keys)
    batches = shared_laboratory.rows("select distinct batch from effects where key = any(:keys)", keys=keys)
    assert len(batches) == 1


def test_events_of_a_batch_that_were_handled_before_have_no_second_effect(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    envelopes, keys = some("", "", "")
    shared_laboratory.publish_envelopes(envelopes[:1])
    shared_laboratory.wait_for_effects(keys[0])

    send(shared_laboratory, encode_batch(envelopes), encode_batch([*envelopes, *envelopes]))

    shared_laboratory.wait_for_effects(*keys)
    (last,) = shared_laboratory.publish("")
    shared_laboratory.wait_for_effects(last)
    assert shared_laboratory.effects(*keys) == [1, 1, 1]


def test_a_batch_that_fails_comes_again_whole_and_succeeds_whole(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    envelopes, keys = some("", "fail-first:1", "")

    send(shared_laboratory, encode_batch(envelopes))

    shared_laboratory.wait_for_effects(*keys)
    assert shared_laboratory.effects(*keys) == [1, 1, 1]


def test_a_batch_that_cannot_be_handled_is_put_aside_whole_and_handled_whole_when_it_is_sent_back(
    laboratory: Laboratory,
) -> None:
    laboratory.start()
    # it fails as often as it is tried before it is put aside
    envelopes, keys = some("", f"fail-first:{1 + len(RETRY_DELAYS)}", "")

    send(laboratory, encode_batch(envelopes))

    [letter] = _letters(laboratory)
    assert (letter.event_id, letter.type) == (None, "a batch of 3 events")
    assert letter.reason.startswith("ValueError: attempt")
    assert laboratory.effects(*keys) == [0, 0, 0]
    assert replay_dead_letters(laboratory.settings, QUEUE) == 1
    laboratory.wait_for_effects(*keys)
    assert laboratory.effects(*keys) == [1, 1, 1]


def test_a_failing_batch_spoils_neither_another_batch_nor_single_events(laboratory: Laboratory) -> None:
    failing, failing_keys = some("", "poison:never")
    sound, sound_keys = some("", "")
    single, single_keys = some("")
    send(laboratory, encode_batch(failing), encode_batch(sound))
    laboratory.publish_envelopes(single)

    laboratory.start()

    laboratory.wait_for_effects(*sound_keys, *single_keys)
    assert len(_letters(laboratory)) == 1
    assert laboratory.effects(*failing_keys) == [0, 0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        encode(envelope_of(lesson_completed())),
        encode_batch([envelope_of(lesson_completed()), envelope_of(lesson_completed(), type="learning.never_told.v1")]),
    ],
    ids=["nothing", "no list", "an event alone", "an unknown type among others"],
)
def test_a_batch_that_cannot_be_read_is_put_aside_at_once(
    shared_laboratory: Laboratory, shared_specimen: Specimen, body: bytes
) -> None:
    before = shared_laboratory.depth(f"{QUEUE}.dead")

    send(shared_laboratory, body)

    assert wait_until(lambda: shared_laboratory.depth(f"{QUEUE}.dead") == before + 1, PATIENCE)
    (behind,) = shared_laboratory.publish("")
    shared_laboratory.wait_for_effects(behind)


def test_a_batch_of_nothing_is_acknowledged(shared_laboratory: Laboratory, shared_specimen: Specimen) -> None:
    before = shared_laboratory.depth(f"{QUEUE}.dead")

    send(shared_laboratory, encode_batch([]))

    (behind,) = shared_laboratory.publish(f"key:{uuid4()}")
    shared_laboratory.wait_for_effects(behind)
    assert shared_laboratory.depth(f"{QUEUE}.dead") == before


def _letters(laboratory: Laboratory) -> list[DeadLetter]:
    found: list[DeadLetter] = []

    def look() -> bool:
        found[:] = list_dead_letters(laboratory.settings, QUEUE)
        return bool(found)

    assert wait_until(look, PATIENCE, pause=0.2), "it never reached the dead letters"
    return found
