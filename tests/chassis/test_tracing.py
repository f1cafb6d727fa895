"""One can follow a story through the logs of all processes by its ids."""

from uuid import uuid4

import pytest

from chassis.context import Trace, traced
from chassis.local.processes import wait_until
from contracts.errors import NotFound
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of


def test_the_log_of_a_called_service_carries_the_callers_ids(shared_specimen: Specimen) -> None:
    with traced(Trace(request_id="request-1", correlation_id="story-1")):
        shared_specimen.rpc.call("specimen", "echo", value=1)
    shared_specimen.rpc.call("specimen", "echo", value=2)

    assert shared_specimen.wait_for_log("served", lambda line: line.get("request_id") == "request-1")
    carried = [line for line in shared_specimen.log_lines("served") if line.get("request_id") == "request-1"]
    assert len(carried) == 1
    assert carried[0]["correlation_id"] == "story-1"
    assert carried[0]["method"] == "echo"
    assert carried[0]["process"] == "specimen"


def test_the_ids_of_one_call_never_reach_the_log_of_another(shared_specimen: Specimen) -> None:
    for number in range(5):
        with traced(Trace(request_id=f"mine-{number}", correlation_id=f"story-{number}")):
            shared_specimen.rpc.call("specimen", "sleep", seconds=0.01)
    shared_specimen.rpc.call("specimen", "tell", lesson_ids=[uuid4()])

    assert "request_id" not in shared_specimen.log_lines("telling")[-1]


def test_the_log_of_an_events_consumer_carries_the_ids_of_the_request_that_began_the_story(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    lesson = uuid4()
    with traced(Trace(request_id="request-2", correlation_id="story-2")):
        shared_specimen.rpc.call("specimen", "tell", lesson_ids=[lesson])
    shared_laboratory.wait_for_effects(lesson)

    told = shared_specimen.log_lines("telling")[-1]
    assert (told["request_id"], told["correlation_id"]) == ("request-2", "story-2")
    event_id = shared_laboratory.scalar("select id::text from event_log where partition_key = :key", key=str(lesson))
    obeyed = [line for line in shared_specimen.log_lines("obeyed") if line.get("correlation_id") == "story-2"]
    assert [line["event_id"] for line in obeyed] == [event_id]
    assert shared_specimen.wait_for_log("handled", lambda line: "story-2" in line["correlation_ids"])
    handled = [line for line in shared_specimen.log_lines("handled") if "story-2" in line["correlation_ids"]]
    assert len(handled) == 1
    assert event_id in handled[0]["event_ids"]


def test_every_event_of_a_batch_is_found_in_the_log(laboratory: Laboratory) -> None:
    envelopes = [envelope_of(lesson_completed(), correlation_id=f"story-{number}") for number in range(80)]
    laboratory.publish_envelopes(envelopes)

    specimen = laboratory.start()

    laboratory.wait_for_effects(*[envelope.subject for envelope in envelopes])
    # lines are written after the commit
    assert wait_until(lambda: sum(line["events"] for line in specimen.log_lines("handled")) == 80, PATIENCE)
    handled = specimen.log_lines("handled")
    assert {story for line in handled for story in line["correlation_ids"]} == {f"story-{n}" for n in range(80)}
    assert {event for line in handled for event in line["event_ids"]} == {str(item.id) for item in envelopes}


def test_a_retry_and_a_dead_letter_are_logged_with_the_events_ids(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    envelope = envelope_of(lesson_completed("poison:followed"), correlation_id="story-4")

    shared_laboratory.publish_envelopes([envelope])

    for event, count in (("an event failed; it comes again", 2), ("an event goes to the dead letters", 1)):
        assert shared_specimen.wait_for_log(event, lambda line: line.get("correlation_id") == "story-4", count)
        lines = [line for line in shared_specimen.log_lines(event) if line.get("correlation_id") == "story-4"]
        assert {line["event_id"] for line in lines} == {str(envelope.id)}


def test_a_refused_call_is_logged_with_its_outcome(shared_specimen: Specimen) -> None:
    with traced(Trace(request_id="request-5")), pytest.raises(NotFound):
        shared_specimen.rpc.call("specimen", "no_such_method")

    # the answer goes out first
    assert shared_specimen.wait_for_log("served", lambda line: line.get("request_id") == "request-5")
    lines = [line for line in shared_specimen.log_lines("served") if line.get("request_id") == "request-5"]
    assert [line["outcome"] for line in lines] == ["no-such-method"]
