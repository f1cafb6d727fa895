"""Calls: answered once, within their deadline, whatever arrives."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from kombu.transport.pyamqp import Message

from chassis.bus.broker import connect, rpc_exchange
from chassis.context import Trace, traced
from chassis.local.processes import wait_until
from chassis.rpc_client import RpcClient
from contracts.errors import Conflict, InternalError, Invalid, NotFound, Unavailable
from contracts.topology import RPC_EXCHANGE
from tests.chassis.proxy import Door
from tests.chassis.specimen import Laboratory, Specimen


def test_a_call_is_answered_with_what_the_method_returned(shared_specimen: Specimen) -> None:
    value = {"texte": "é\x00𝄞", "many": list(range(20_000)), "nothing": None, "large": "x" * 3_000_000}

    assert shared_specimen.rpc.call("specimen", "echo", value=value) == value


def test_one_client_shared_by_16_threads_loses_no_answer_and_opens_one_connection(
    shared_specimen: Specimen, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_specimen.settings.bus_prefix, deadline=20.0)
    sizes = [1, 100, 10_000, 200_000]

    def call(number: int) -> bool:
        value = f"{number}:" + "x" * sizes[number % 4]
        return bool(client.call("specimen", "echo", value=value) == value)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(call, range(800)))
    client.stop()

    assert answers == [True] * 800
    assert door.passed == 1


@pytest.mark.parametrize("deadline", [0.1, 0.7])
def test_a_call_ends_at_its_deadline(shared_specimen: Specimen, deadline: float) -> None:
    began = time.monotonic()

    with pytest.raises(Unavailable) as raised:
        shared_specimen.rpc.call("specimen", "sleep", deadline=deadline, seconds=1.5)

    assert deadline <= time.monotonic() - began < deadline + 0.7
    assert raised.value.members == {"service": "specimen", "retry_after": 2}


def test_a_call_of_a_service_that_does_not_exist_ends_at_its_deadline(shared_specimen: Specimen) -> None:
    began = time.monotonic()

    with pytest.raises(Unavailable):
        shared_specimen.rpc.call("nobody", "echo", deadline=0.2)

    assert time.monotonic() - began < 1.0


def test_who_was_silent_several_times_is_left_alone_for_a_while_and_nobody_else(shared_specimen: Specimen) -> None:
    settings = shared_specimen.settings
    client = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, breakers=True)

    def seconds_of(deadline: float) -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            client.call("nobody", "echo", deadline=deadline)
        return time.monotonic() - began

    with ThreadPoolExecutor(5) as threads:
        assert min(threads.map(seconds_of, [0.5] * 5)) >= 0.5
    assert seconds_of(0.5) < 0.1
    assert client.call("specimen", "echo", value=1) == 1
    # after the rest it is asked again, once
    assert wait_until(lambda: seconds_of(0.5) >= 0.5, 5)
    assert seconds_of(0.5) < 0.1
    client.stop()


def test_a_call_without_time_left_ends_at_once_and_disturbs_no_other(shared_specimen: Specimen) -> None:
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(shared_specimen.rpc.call, "specimen", "sleep", seconds=0.5)
        time.sleep(0.1)
        for deadline in (0.0, -3.0, 0.0001):
            with pytest.raises(Unavailable):
                shared_specimen.rpc.call("specimen", "echo", deadline=deadline, value=1)

        assert other.result() == "woken"


def test_a_call_past_its_deadline_is_not_begun(shared_laboratory: Laboratory, shared_specimen: Specimen) -> None:
    late, last = str(uuid4()), str(uuid4())

    _send_call(
        shared_laboratory, {"method": "effect", "deadline": time.time() - 0.01}, b'{"key": "%s"}' % late.encode()
    )
    shared_specimen.rpc.call("specimen", "effect", key=last)

    assert shared_laboratory.effects(late, last) == [0, 1]


def test_a_call_that_waited_in_the_queue_past_its_deadline_is_not_begun(laboratory: Laboratory) -> None:
    specimen = laboratory.start()
    keys = [str(uuid4()) for _ in range(60)]

    def call(key: str) -> None:
        with pytest.raises(Unavailable):
            specimen.rpc.call("specimen", "sleep", deadline=0.4, seconds=1.0, key=key)

    with ThreadPoolExecutor(60) as threads:
        list(threads.map(call, keys))
    specimen.rpc.call("specimen", "echo", value=1)

    assert 0 < sum(laboratory.effects(*keys)) < 60
    assert specimen.log.count('"woken"') == 0


def test_calls_run_beside_one_another(shared_specimen: Specimen) -> None:
    began = time.monotonic()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: shared_specimen.rpc.call("specimen", "sleep", seconds=0.3), range(16)))

    assert time.monotonic() - began < 1.0


def test_a_slow_query_does_not_block_the_other_greenlets(shared_specimen: Specimen) -> None:
    began = time.monotonic()

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda _: shared_specimen.rpc.call("specimen", "sleep_in_database", seconds=0.2), range(10)))

    assert time.monotonic() - began < 1.0


def test_calls_of_one_service_to_another_run_beside_one_another_and_obey_their_deadline(
    shared_specimen: Specimen,
) -> None:
    def ask(patience: float) -> str:
        try:
            return str(shared_specimen.rpc.call("specimen", "ask_another", seconds=0.4, patience=patience))
        except Unavailable as error:
            return str(error.members["service"])

    began = time.monotonic()
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(ask, [2.0, 0.1] * 5))

    assert answers == ["woken", "specimen"] * 5
    assert time.monotonic() - began < 1.5


def test_an_error_on_purpose_arrives_as_it_was_raised(shared_specimen: Specimen) -> None:
    with pytest.raises(Conflict) as raised:
        shared_specimen.rpc.call("specimen", "refuse")

    assert raised.value.problem == "on-purpose"


def test_a_fault_is_answered_without_its_details_which_are_logged(shared_specimen: Specimen) -> None:
    with pytest.raises(InternalError) as raised, traced(Trace(request_id="request-of-the-fault")):
        shared_specimen.rpc.call("specimen", "break_down")

    assert "secret" not in repr((raised.value.args, raised.value.members, raised.value.errors))
    assert shared_specimen.wait_for_log("a call failed", lambda line: line["request_id"] == "request-of-the-fault")
    faults = shared_specimen.log_lines("a call failed")
    assert "a secret of the service" in faults[-1]["exception"]
    assert faults[-1]["request_id"] == "request-of-the-fault"


def test_an_answer_that_cannot_be_encoded_is_a_fault_and_no_more(shared_specimen: Specimen) -> None:
    with pytest.raises(InternalError):
        shared_specimen.rpc.call("specimen", "answer_what_cannot_be_encoded", deadline=2.0)

    assert shared_specimen.rpc.call("specimen", "echo", value=1) == 1


def test_a_method_that_does_not_exist_is_not_found(shared_specimen: Specimen) -> None:
    for method in ("nothing", "__init__", "database", ""):
        with pytest.raises(NotFound):
            shared_specimen.rpc.call("specimen", method)


def test_arguments_that_the_method_does_not_take_are_refused_by_name(shared_specimen: Specimen) -> None:
    for arguments in ({}, {"seconds": "1"}, {"seconds": 0, "more": 1}, {"seconds": None}, {"seconds": 0, "key": 3}):
        with pytest.raises(Invalid) as raised:
            shared_specimen.rpc.call("specimen", "sleep", **arguments)
        assert raised.value.errors


HOSTILE = [
    pytest.param({"method": "echo", "deadline": "soon"}, b'{"value": 1}', {}, id="a deadline that is no number"),
    pytest.param({"method": "echo"}, b'{"value": 1}', {}, id="no deadline"),
    pytest.param({"method": 7, "deadline": 9e9}, b'{"value": 1}', {}, id="a method that is no text"),
    pytest.param({"method": ["echo"], "deadline": 9e9}, b'{"value": 1}', {}, id="a list for a method"),
    pytest.param({"method": "echo", "deadline": 9e9}, b"\xff\x00not JSON", {}, id="a body that is not JSON"),
    pytest.param({"method": "echo", "deadline": 9e9}, b"", {}, id="an empty body"),
    pytest.param({"method": "echo", "deadline": 9e9}, b"[1, 2]", {}, id="a list for arguments"),
    pytest.param({"method": "echo", "deadline": 9e9, "compression": "x"}, b"{}", {}, id="an unknown compression"),
    pytest.param({"method": "echo", "deadline": 9e9}, b'{"value": 1}', {"reply_to": None}, id="nowhere to reply to"),
    pytest.param(
        {"method": "echo", "deadline": 9e9}, b'{"value": 1}', {"correlation_id": None}, id="no correlation id"
    ),
    pytest.param({"method": "effect", "deadline": 9e9}, b'{"key": "a\\u0000b"}', {}, id="a NUL for the database"),
    pytest.param({"method": "effect", "deadline": 9e9}, b'{"key": "\\ud800"}', {}, id="half a surrogate pair"),
    pytest.param(
        {"method": "echo", "deadline": 9e9},
        b'{"value": 1}',
        {"reply_to": "amq.rabbitmq.reply-to.bogus"},
        id="a false reply-to",
    ),
]


@pytest.mark.parametrize(("headers", "body", "properties"), HOSTILE)
def test_a_hostile_call_is_refused_and_the_service_goes_on(
    shared_laboratory: Laboratory, shared_specimen: Specimen, headers: dict, body: bytes, properties: dict
) -> None:
    _send_call(shared_laboratory, headers, body, **properties)

    assert shared_specimen.rpc.call("specimen", "echo", value="alive") == "alive"
    assert shared_specimen.is_alive()
    assert wait_until(lambda: _unsettled(shared_laboratory) == 0, 3), "the call was never acknowledged"


def test_calls_under_way_end_at_once_when_their_connection_breaks_and_the_next_goes_through(
    shared_specimen: Specimen, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_specimen.settings.bus_prefix, deadline=5.0)
    assert client.call("specimen", "echo", value=1) == 1
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(client.call, "specimen", "sleep", seconds=3.0) for _ in range(8)]
        time.sleep(0.2)
        began = time.monotonic()

        door.break_connections()

        assert all(isinstance(call.exception(), Unavailable) for call in calls)
        assert time.monotonic() - began < 1.0
    assert client.call("specimen", "echo", value=2) == 2
    client.stop()


def test_calls_go_on_when_the_broker_closes_the_channel_of_their_answers(shared_specimen: Specimen) -> None:
    client = RpcClient(shared_specimen.settings.amqp_uri, prefix=shared_specimen.settings.bus_prefix, deadline=5.0)
    assert client.call("specimen", "echo", value=1) == 1
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, "specimen", "sleep", seconds=3.0)
        time.sleep(0.2)
        channel = client._channel
        assert channel is not None

        channel.basic_ack(delivery_tag=999)

        assert isinstance(call.exception(timeout=1.5), Unavailable)
    assert client.call("specimen", "echo", value=2) == 2
    client.stop()


def test_a_call_ends_at_its_deadline_when_the_broker_is_away_and_goes_through_when_it_is_back(
    shared_specimen: Specimen, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_specimen.settings.bus_prefix)
    door.shut()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            client.call("specimen", "echo", deadline=0.3, value=1)
        assert time.monotonic() - began < 1.0

    door.open()

    assert client.call("specimen", "echo", deadline=5.0, value=2) == 2
    client.stop()


def test_a_call_ends_at_its_deadline_when_the_broker_falls_silent(
    shared_specimen: Specimen, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_specimen.settings.bus_prefix)
    assert client.call("specimen", "echo", value=1) == 1
    door.hush()
    began = time.monotonic()

    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(client.call, "specimen", "echo", deadline=0.5, value="x" * 2_000_000) for _ in range(4)]

        assert all(isinstance(call.exception(), Unavailable) for call in calls)
    assert time.monotonic() - began < 2.5
    door.unhush()
    assert wait_until(lambda: _answers(client), 10)
    client.stop()


def test_many_threads_may_make_the_first_call_at_once(shared_specimen: Specimen, broker_door: tuple[Door, str]) -> None:
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_specimen.settings.bus_prefix, deadline=5.0)
    together = threading.Barrier(16)

    def call(number: int) -> int:
        together.wait()
        return int(client.call("specimen", "echo", value=number))

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(call, range(16))) == list(range(16))
    client.stop()

    assert door.passed == 1


def test_a_client_that_is_stopped_ends_calls_under_way_at_once(shared_specimen: Specimen) -> None:
    client = RpcClient(shared_specimen.settings.amqp_uri, prefix=shared_specimen.settings.bus_prefix, deadline=10.0)
    client.call("specimen", "echo", value=1)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, "specimen", "sleep", seconds=4.0)
        time.sleep(0.2)
        began = time.monotonic()

        client.stop()

        assert isinstance(call.exception(timeout=3), Unavailable)
        assert time.monotonic() - began < 2.5


def test_calls_are_transient_and_expire_with_their_deadline(laboratory: Laboratory) -> None:
    client = RpcClient(laboratory.settings.amqp_uri, prefix=laboratory.settings.bus_prefix)
    with laboratory.channel() as channel, ThreadPoolExecutor(1) as threads:
        rpc_exchange(laboratory.settings.bus_prefix)(channel).declare()
        queue = laboratory.settings.bus_prefix + "rpc.specimen"
        channel.queue_declare(queue, auto_delete=False)
        channel.queue_bind(queue, laboratory.settings.bus_prefix + RPC_EXCHANGE, "specimen")
        began = time.time()
        call = threads.submit(client.call, "specimen", "echo", deadline=0.7, value=1)
        assert wait_until(lambda: laboratory.depth("rpc.specimen") == 1, 3)
        message = channel.basic_get(queue, no_ack=True)
        assert isinstance(call.exception(), Unavailable)

        assert message.properties["delivery_mode"] == 1
        assert message.properties["expiration"] == "700"
        assert began + 0.7 <= message.headers["deadline"] < time.time() + 0.7
        with pytest.raises(Unavailable):
            client.call("specimen", "echo", deadline=0.2, value=1)
        assert wait_until(lambda: laboratory.depth("rpc.specimen") == 0, 3), "an expired call is still in the queue"
    client.stop()


def _answers(client: RpcClient) -> bool:
    try:
        return bool(client.call("specimen", "echo", deadline=1.0, value=7) == 7)
    except Unavailable:
        return False


def _unsettled(laboratory: Laboratory) -> int:
    return laboratory.depth("rpc.specimen")


def _send_call(laboratory: Laboratory, headers: dict, body: bytes, **properties: object) -> None:
    values = {"reply_to": "amq.rabbitmq.reply-to", "correlation_id": "1", "delivery_mode": 1, **properties}
    with connect(laboratory.settings.amqp_uri) as connection:
        channel = connection.channel()
        channel.basic_consume("amq.rabbitmq.reply-to", no_ack=True, callback=lambda message: None)
        message: Message = channel.prepare_message(
            body, headers=headers, properties={name: value for name, value in values.items() if value is not None}
        )
        channel.basic_publish(message, laboratory.settings.bus_prefix + RPC_EXCHANGE, "specimen")
        channel.queue_declare(laboratory.settings.bus_prefix + "rpc.specimen", passive=True)
