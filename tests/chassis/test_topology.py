"""What is declared on the broker: by explicit names, durable, quorum for events, apart for each prefix."""

import inspect
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from amqp.exceptions import PreconditionFailed
from kombu.transport.pyamqp import Channel

from chassis.bus import broker
from chassis.bus.events import EventConsumer
from chassis.bus.publisher import Outgoing
from chassis.local.processes import wait_until
from chassis.service import Service
from contracts import topology
from contracts.topology import CONSUMER_QUEUES, EVENT_EXCHANGE, GAMIFICATION_LEARNING, RPC_EXCHANGE
from tests.chassis.conftest import RETRY_DELAYS, LaboratoryFactory
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of

NAMES = [
    name
    for queue in CONSUMER_QUEUES
    for name in (queue.name, f"{queue.name}.dead", *(f"{queue.name}.retry.{delay:g}s" for delay in RETRY_DELAYS))
]


@pytest.fixture
def channel(shared_laboratory: Laboratory, shared_specimen: Specimen) -> Iterator[Channel]:
    """A channel to the broker on which one service has started."""
    with shared_laboratory.channel() as channel:
        yield channel


@pytest.mark.parametrize("name", [*NAMES, "rpc.specimen"])
def test_every_queue_of_the_contract_is_there_under_its_explicit_name(
    shared_laboratory: Laboratory, channel: Channel, name: str
) -> None:
    channel.queue_declare(shared_laboratory.settings.bus_prefix + name, passive=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_queue_of_events_is_a_durable_quorum_queue(
    shared_laboratory: Laboratory, channel: Channel, name: str
) -> None:
    prefix = shared_laboratory.settings.bus_prefix
    main, is_retry, delay = name.partition(".retry.")
    arguments: dict[str, object] = {"x-queue-type": "classic"}
    if is_retry:
        arguments |= {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": prefix + main,
            "x-message-ttl": int(float(delay.removesuffix("s")) * 1000),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }

    with pytest.raises(PreconditionFailed, match=r"inequivalent arg 'x-queue-type'.*current is.*'quorum'"):
        channel.queue_declare(prefix + name, durable=True, auto_delete=False, arguments=arguments)


def test_the_queue_of_calls_is_classic(shared_laboratory: Laboratory, channel: Channel) -> None:
    with pytest.raises(PreconditionFailed, match=r"inequivalent arg 'x-queue-type'.*current is.*'classic'"):
        channel.queue_declare(
            shared_laboratory.settings.bus_prefix + "rpc.specimen",
            durable=True,
            auto_delete=False,
            arguments={"x-queue-type": "quorum"},
        )


@pytest.mark.parametrize(("name", "kind"), [(EVENT_EXCHANGE, "topic"), (RPC_EXCHANGE, "direct")])
def test_both_exchanges_are_durable(shared_laboratory: Laboratory, channel: Channel, name: str, kind: str) -> None:
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'durable'"):
        channel.exchange_declare(shared_laboratory.settings.bus_prefix + name, kind, durable=False, auto_delete=False)


def test_declaring_all_again_changes_nothing(shared_laboratory: Laboratory, channel: Channel) -> None:
    for _ in range(2):
        broker.declare_all(channel, shared_laboratory.settings.bus_prefix, RETRY_DELAYS)


def test_no_name_of_a_queue_comes_from_the_name_of_a_method() -> None:
    assert list(inspect.signature(EventConsumer.__init__).parameters) == ["self", "queue", "batch"]
    assert broker.event_queue_name("p.", GAMIFICATION_LEARNING) == "p.gamification.learning"
    assert broker.rpc_queue("p.", "progress").name == "p.rpc.progress"
    assert topology.GAMIFICATION_LEARNING.name == "gamification.learning"


def test_two_academies_on_one_broker_do_not_meet(
    shared_laboratory: Laboratory, shared_specimen: Specimen, make_laboratory: LaboratoryFactory
) -> None:
    other = make_laboratory()
    event = lesson_completed()

    other.publish_envelopes([envelope_of(event)])
    (ours,) = shared_laboratory.publish("")
    shared_laboratory.wait_for_effects(ours)

    assert shared_laboratory.effects(event.lesson_id) == [0]
    assert other.depth(GAMIFICATION_LEARNING.name) == 1


def test_events_wait_in_their_queue_or_where_those_are_that_failed(make_laboratory: LaboratoryFactory) -> None:
    laboratory = make_laboratory()

    class Waiting(Service):
        resources = SimpleNamespace(settings=laboratory.settings)  # type: ignore[assignment]

    laboratory.publish("", "")
    assert Waiting().events_waiting(GAMIFICATION_LEARNING) == 2
    failed = broker.delay_queue_name(laboratory.settings.bus_prefix, GAMIFICATION_LEARNING, RETRY_DELAYS[-1])
    laboratory.publish_raw([Outgoing("1", "", failed, b"{}", "application/json", {})])

    assert wait_until(lambda: Waiting().events_waiting(GAMIFICATION_LEARNING) == 3, PATIENCE)
    assert Waiting().events_waiting(topology.GAMIFICATION_PEOPLE) == 0


def test_the_broker_never_drops_an_event_for_having_been_delivered_often(make_laboratory: LaboratoryFactory) -> None:
    laboratory = make_laboratory()
    laboratory.publish("")
    with laboratory.channel() as channel:
        for _ in range(40):
            message = channel.basic_get(laboratory.settings.bus_prefix + GAMIFICATION_LEARNING.name)
            assert message is not None
            channel.basic_reject(message.delivery_tag, requeue=True)
