"""What fails is tried again, later and later, then put aside with its reason; nothing is dropped, nothing held up."""

import itertools
import time
from uuid import UUID, uuid4

import msgspec
import pytest

from chassis.bus.broker import REASON_HEADER
from chassis.bus.dead_letters import DeadLetter, list_dead_letters, replay_dead_letters
from chassis.bus.publisher import Outgoing
from chassis.local.processes import wait_until
from contracts.envelope import CONTENT_TYPE, encode
from contracts.events import CourseChanged
from contracts.topology import EVENT_EXCHANGE, GAMIFICATION_LEARNING
from tests.chassis.conftest import RETRY_DELAYS
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of

QUEUE = GAMIFICATION_LEARNING.name


def test_an_event_whose_handler_raises_is_tried_again_with_growing_delays_then_put_aside_with_its_reason(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    event = lesson_completed(r"poison:the hamster is asleep \ud83d")
    envelope = envelope_of(event, correlation_id="story-1")

    shared_laboratory.publish_envelopes([envelope])

    letter = _dead_letter(shared_laboratory, str(envelope.id))
    assert letter.queue == QUEUE
    assert letter.type == event.type
    assert letter.reason.startswith("ValueError: the hamster is asleep")
    assert msgspec.json.decode(letter.body)["correlationid"] == "story-1"
    tries = [
        row.at
        for row in shared_laboratory.rows("select at from attempts where event_id = :id order by id", id=envelope.id)
    ]
    assert len(tries) == 1 + len(RETRY_DELAYS)
    pauses = [(after - before).total_seconds() for before, after in itertools.pairwise(tries)]
    assert all(delay <= pause < delay + 0.5 for delay, pause in zip(RETRY_DELAYS, pauses, strict=True)), pauses
    assert shared_laboratory.effects(event.lesson_id) == [0]
    failures = [line for line in shared_specimen.log_lines("an event failed; it comes again") if "hamster" in str(line)]
    assert [line["attempt"] for line in failures] == [1, 2]
    assert "in _obey" in failures[0]["exception"], "the log does not say where the handler failed"


def test_an_event_that_succeeds_at_last_has_its_effect_once(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    (lesson,) = shared_laboratory.publish("fail-first:2")

    shared_laboratory.wait_for_effects(lesson)

    assert shared_laboratory.effects(lesson) == [1]
    assert not _is_dead(shared_laboratory, lesson)


@pytest.mark.alone
def test_the_queue_behind_a_failing_event_flows_on(shared_laboratory: Laboratory, shared_specimen: Specimen) -> None:
    poisoned = shared_laboratory.publish("poison:one", "poison:two")
    began = time.monotonic()

    sound = shared_laboratory.publish(*[""] * 20)
    shared_laboratory.wait_for_effects(*sound)

    assert time.monotonic() - began < RETRY_DELAYS[0] + 0.6
    assert shared_laboratory.effects(*sound, *poisoned) == [1] * 20 + [0, 0]


def test_a_failing_event_spoils_none_of_the_others_in_its_batch(
    make_laboratory: object, laboratory: Laboratory
) -> None:
    lessons = laboratory.publish(*[""] * 40, "poison:in the middle", *[""] * 40)

    laboratory.start()

    sound = lessons[:40] + lessons[41:]
    laboratory.wait_for_effects(*sound)
    assert laboratory.effects(*sound) == [1] * 80
    assert laboratory.effects(lessons[40]) == [0]
    assert wait_until(lambda: len(list_dead_letters(laboratory.settings)) == 1, PATIENCE)


UNREADABLE = [
    pytest.param(b"\x00\xff\xfe", {}, id="bytes"),
    pytest.param(b"", {}, id="nothing"),
    pytest.param(b'{"specversion": "1.0"}', {}, id="half an envelope"),
    pytest.param(encode(envelope_of(lesson_completed(), type="learning.never_told.v1")), {}, id="an unknown type"),
    pytest.param(encode(envelope_of(lesson_completed(), data=msgspec.Raw(b'{"user_id": 7}'))), {}, id="other data"),
    pytest.param(b"\x00\x01", {"compression": "application/x-nobody-knows"}, id="an unknown compression"),
    pytest.param(b"\x00\x01", {"x-attempt": "many"}, id="an attempt that is no number"),
    pytest.param(b"[" * 100_000, {}, id="a deep nest"),
]


@pytest.mark.parametrize(("body", "headers"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_put_aside_at_once_and_not_acknowledged_away(
    shared_laboratory: Laboratory, shared_specimen: Specimen, body: bytes, headers: dict
) -> None:
    before = shared_laboratory.depth(f"{QUEUE}.dead")

    (sound,) = shared_laboratory.publish("")
    _publish_raw(shared_laboratory, body, headers)
    (behind,) = shared_laboratory.publish("")

    assert wait_until(lambda: shared_laboratory.depth(f"{QUEUE}.dead") == before + 1, PATIENCE)
    shared_laboratory.wait_for_effects(sound, behind)
    assert shared_specimen.is_alive()
    reasons = [letter.reason for letter in list_dead_letters(shared_laboratory.settings, QUEUE)]
    assert any(reason.startswith("Undecodable: ") for reason in reasons)


def test_a_sound_event_with_a_senseless_attempt_header_is_handled_and_a_failing_one_put_aside(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    sound, failing = lesson_completed(), lesson_completed("poison:and a false header")

    for event in (sound, failing):
        _publish_raw(shared_laboratory, encode(envelope_of(event)), {"x-attempt": ["many"]})

    shared_laboratory.wait_for_effects(sound.lesson_id)
    assert wait_until(lambda: _is_dead(shared_laboratory, failing.lesson_id), PATIENCE)


def test_dead_letters_can_be_listed_as_often_as_one_likes_without_changing_them(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    event = lesson_completed("poison:listed")
    envelope = envelope_of(event)
    shared_laboratory.publish_envelopes([envelope])
    _dead_letter(shared_laboratory, str(envelope.id))

    lists = [list_dead_letters(shared_laboratory.settings) for _ in range(3)]

    assert lists[0]
    assert _by_id(lists[0]) == _by_id(lists[1]) == _by_id(lists[2])
    assert all(letter.failed_at for letter in lists[0])
    with pytest.raises(ValueError, match="there is no queue 'nothing'"):
        list_dead_letters(shared_laboratory.settings, "nothing")


def test_a_replayed_dead_letter_is_handled_anew_with_all_its_attempts(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    cycle = 1 + len(RETRY_DELAYS)
    (lesson,) = shared_laboratory.publish(f"fail-first:{2 * cycle - 1}")
    assert wait_until(lambda: _is_dead(shared_laboratory, lesson), PATIENCE)

    assert replay_dead_letters(shared_laboratory.settings, QUEUE) >= 1

    shared_laboratory.wait_for_effects(lesson)
    assert shared_laboratory.effects(lesson) == [1]
    assert not _is_dead(shared_laboratory, lesson)


def test_what_is_replayed_after_it_was_handled_has_no_second_effect(laboratory: Laboratory) -> None:
    laboratory.start()
    event = lesson_completed()
    envelope = envelope_of(event)
    laboratory.publish_envelopes([envelope])
    laboratory.wait_for_effects(event.lesson_id)
    laboratory.publish_raw(
        [
            Outgoing(
                "1",
                "",
                laboratory.settings.bus_prefix + f"{QUEUE}.dead",
                encode(envelope),
                CONTENT_TYPE,
                {REASON_HEADER: "?"},
            )
        ]
    )

    assert replay_dead_letters(laboratory.settings) == 1

    (last,) = laboratory.publish("")
    laboratory.wait_for_effects(last)
    assert laboratory.effects(event.lesson_id) == [1]


def test_a_retry_returns_to_the_consumer_that_failed_and_to_no_other(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    with shared_laboratory.channel() as channel:
        listener = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(listener, shared_laboratory.settings.bus_prefix + EVENT_EXCHANGE, "#")
        event = lesson_completed("poison:heard once")
        envelope = envelope_of(event)

        shared_laboratory.publish_envelopes([envelope])
        _dead_letter(shared_laboratory, str(envelope.id))

        heard = []
        while (message := channel.basic_get(listener, no_ack=True)) is not None:
            heard.append(message)
        assert len([message for message in heard if str(envelope.id).encode() in bytes(message.body)]) == 1


def test_an_event_that_a_consumer_does_not_expect_is_put_aside(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    course = CourseChanged(
        course_id=uuid4(),
        slug="a",
        title="A",
        instructor_id=uuid4(),
        status="draft",
        category="c",
        price={"amount": 0, "currency": "EUR"},  # type: ignore[arg-type]
        practical=False,
    )
    envelope = envelope_of(course)

    _publish_raw(shared_laboratory, encode(envelope), {})

    assert "AssertionError" in _dead_letter(shared_laboratory, str(envelope.id)).reason


def _dead_letter(laboratory: Laboratory, event_id: str) -> DeadLetter:
    found: list[DeadLetter] = []

    def look() -> bool:
        found[:] = [letter for letter in list_dead_letters(laboratory.settings) if letter.event_id == event_id]
        return bool(found)

    assert wait_until(look, PATIENCE, pause=0.2), "it never reached the dead letters"
    assert len(found) == 1
    return found[0]


def _is_dead(laboratory: Laboratory, lesson: UUID) -> bool:
    return any(str(lesson) in letter.body for letter in list_dead_letters(laboratory.settings))


def _by_id(letters: list[DeadLetter]) -> list[DeadLetter]:
    return sorted(letters, key=lambda letter: (str(letter.event_id), letter.body))


def _publish_raw(laboratory: Laboratory, body: bytes, headers: dict) -> None:
    laboratory.publish_raw([Outgoing("1", "", laboratory.settings.bus_prefix + QUEUE, body, CONTENT_TYPE, headers)])
