"""The topology is a table that everyone declares alike, so it must make sense as a whole."""

import re
from collections import Counter
from pathlib import Path

import services
from contracts import topology
from contracts.events import BY_TYPE, EVENTS

SERVICES = {path.name for path in Path(services.__path__[0]).iterdir() if (path / "__init__.py").exists()}


def test_each_event_has_a_type_of_its_own_named_after_who_tells_it() -> None:
    assert len(BY_TYPE) == len(EVENTS)
    for event in EVENTS:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*\.v[1-9][0-9]*", event.type)
        assert event.__module__ == f"contracts.events.{event.type.split('.')[0]}"


def test_queue_names_are_unique_and_begin_with_the_service_that_consumes() -> None:
    names = Counter(queue.name for queue in topology.CONSUMER_QUEUES)

    assert max(names.values()) == 1
    for name in names:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)
        assert name.split(".")[0] in SERVICES


def test_every_queue_that_is_named_is_declared() -> None:
    named = [value for value in vars(topology).values() if isinstance(value, topology.ConsumerQueue)]

    assert sorted(queue.name for queue in named) == sorted(queue.name for queue in topology.CONSUMER_QUEUES)


def test_every_event_with_a_consumer_exists_and_is_bound_once_to_each_queue() -> None:
    bound = [queue.events for queue in topology.CONSUMER_QUEUES if queue is not topology.ANALYTICS_REPLAY]
    for heard in (*bound, topology.GATEWAY_CACHE_EVENTS):
        assert heard
        assert len(set(heard)) == len(heard)
        assert set(heard) <= set(EVENTS)


def test_just_the_events_with_a_durable_queue_must_reach_one() -> None:
    consumed = {event.type for queue in topology.CONSUMER_QUEUES for event in queue.events}

    assert {type_ for type_ in BY_TYPE if topology.has_durable_consumer(type_)} == consumed
    assert not topology.has_durable_consumer("nobody.told_this.v1")
