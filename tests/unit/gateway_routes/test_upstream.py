"""Given services that answer, refuse or stay silent, the gateway keeps its threads and tells the truth."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from contracts.errors import NotFound, ServiceError, Unavailable
from gateway.upstream import REQUEST_BUDGET, Upstream


class FakeClock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class FakeClient:
    """Answers as it is told; a silent service takes the whole deadline of the fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.deadlines: list[float] = []
        self.answer: Callable[[float], Any] = lambda deadline: "here"

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        assert deadline is not None
        self.deadlines.append(deadline)
        return self.answer(deadline)

    def silence(self, deadline: float) -> Any:
        self.clock.time += deadline
        raise Unavailable(members={"service": "catalog", "retry_after": 2})

    def refuse(self, error: ServiceError) -> Callable[[float], Any]:
        def answer(_deadline: float) -> Any:
            raise error

        return answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(clock: FakeClock) -> FakeClient:
    return FakeClient(clock)


@pytest.fixture
def upstream(client: FakeClient, clock: FakeClock) -> Upstream:
    return Upstream(client, services=("catalog", "progress"), threads=8, threshold=3, rest=3.0, clock=clock)


def fail(upstream: Upstream, service: str = "catalog") -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        upstream.call(service, "method")
    return caught.value


def test_a_silent_service_is_left_alone_after_a_few_silences_in_a_row(upstream: Upstream, client: FakeClient) -> None:
    client.answer = client.silence
    for _ in range(3):
        fail(upstream)
    error = fail(upstream)
    assert len(client.deadlines) == 3
    assert error.members == {"retry_after": 3}


def test_silences_between_answers_open_nothing(upstream: Upstream, client: FakeClient) -> None:
    for _ in range(5):
        client.answer = client.silence
        fail(upstream)
        fail(upstream)
        client.answer = lambda deadline: "here"
        assert upstream.call("catalog", "method") == "here"


def test_a_refusal_is_an_answer_too(upstream: Upstream, client: FakeClient) -> None:
    for _ in range(5):
        client.answer = client.silence
        fail(upstream)
        fail(upstream)
        client.answer = client.refuse(NotFound())
        with pytest.raises(NotFound):
            upstream.call("catalog", "method")


def test_after_some_seconds_one_trial_goes_through_and_an_answer_closes_the_circuit(
    upstream: Upstream, client: FakeClient, clock: FakeClock
) -> None:
    client.answer = client.silence
    for _ in range(3):
        fail(upstream)
    clock.time += 3.0
    during_trial: list[Unavailable] = []

    def answer(_deadline: float) -> str:
        if not during_trial:
            during_trial.append(fail(upstream))
        return "back"

    client.answer = answer
    assert upstream.call("catalog", "method") == "back"
    assert len(client.deadlines) == 4, "only the trial was let through"
    assert upstream.call("catalog", "method") == "back"


def test_a_failed_trial_leaves_the_service_alone_again(
    upstream: Upstream, client: FakeClient, clock: FakeClock
) -> None:
    client.answer = client.silence
    for _ in range(3):
        fail(upstream)
    clock.time += 3.0
    fail(upstream)
    fail(upstream)
    assert len(client.deadlines) == 4


def test_an_answer_on_purpose_is_no_failure_unavailable_included(upstream: Upstream, client: FakeClient) -> None:
    for error in (NotFound(), Unavailable()):
        client.answer = client.refuse(error)
        for _ in range(10):
            with pytest.raises(type(error)):
                upstream.call("catalog", "method")
    assert len(client.deadlines) == 20


def test_a_silent_service_does_not_close_the_others(upstream: Upstream, client: FakeClient) -> None:
    client.answer = client.silence
    for _ in range(4):
        fail(upstream, "progress")
    client.answer = lambda deadline: "here"
    assert upstream.call("catalog", "method") == "here"


def test_beyond_a_quarter_of_the_threads_a_call_is_refused_at_once(upstream: Upstream, client: FakeClient) -> None:
    release = threading.Event()
    entered = threading.Semaphore(0)

    def answer(_deadline: float) -> str:
        entered.release()
        release.wait(5)
        return "late"

    client.answer = answer
    callers = [threading.Thread(target=upstream.call, args=("progress", "method")) for _ in range(2)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert entered.acquire(timeout=5)
    error = fail(upstream, "progress")
    release.set()
    for caller in callers:
        caller.join(5)
    assert error.members == {"retry_after": 1}
    assert upstream.call("progress", "method") == "late", "the slots are given back"


def test_all_calls_of_one_request_share_its_budget(upstream: Upstream, client: FakeClient, clock: FakeClock) -> None:
    began = clock.time
    with Flask("test").app_context():
        client.answer = client.silence
        fail(upstream, "catalog")
        fail(upstream, "progress")
        calls = len(client.deadlines)
        fail(upstream, "gamification")
    assert clock.time - began <= REQUEST_BUDGET < 3.0
    assert client.deadlines == [2.0, 0.5]
    assert calls == len(client.deadlines), "nothing is begun without time left"


def test_readiness_says_who_answers_errors_included(upstream: Upstream, client: FakeClient) -> None:
    client.answer = client.refuse(NotFound("no-such-method"))
    assert upstream.ready() == {"catalog": True, "progress": True}
    client.answer = client.silence
    assert upstream.ready() == {"catalog": False, "progress": False}
