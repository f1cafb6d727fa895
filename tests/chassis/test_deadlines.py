"""The deadline of a call holds for all that is done because of it: the caller has been told that it failed, and may ask
again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.context import bind_deadline
from chassis.database import Database, is_database_slow
from chassis.local.processes import wait_until
from chassis.rpc_client import RpcClient
from contracts.errors import Unavailable
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen

FOREVER = float("inf")

_EFFECT = text("insert into effects (key, source, pid) values (:key, 'test', 0)")


@pytest.fixture
def patient(shared_specimen: Specimen) -> Iterator[RpcClient]:
    """A client outside of any call."""
    client = RpcClient(shared_specimen.settings.amqp_uri, prefix=shared_specimen.settings.bus_prefix, deadline=5.0)
    yield client
    client.stop()


def test_a_call_that_waits_for_a_lock_past_its_deadline_changes_nothing_afterwards(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    key = str(uuid4())

    with _locked(shared_laboratory):
        with pytest.raises(Unavailable):
            shared_specimen.rpc.call("specimen", "effect", deadline=0.5, key=key)
        assert wait_until(lambda: _waiting(shared_laboratory) == 0, 1.0), "the statement outlives the call"

    shared_specimen.rpc.call("specimen", "effect", key="behind it")
    assert shared_laboratory.effects(key) == [0]


def test_a_call_whose_statement_takes_too_long_is_answered_as_unavailable_before_its_deadline(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    with _locked(shared_laboratory), pytest.raises(Unavailable) as raised:
        shared_specimen.rpc.call("specimen", "effect", deadline=0.5, key=str(uuid4()))

    # the client itself would name the service that is silent
    assert raised.value.members == {"retry_after": 2}


def test_a_call_that_waits_for_a_lock_and_has_it_in_time_commits(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    key = str(uuid4())

    with ThreadPoolExecutor(1) as threads:
        with _locked(shared_laboratory):
            call = threads.submit(shared_specimen.rpc.call, "specimen", "effect", deadline=5.0, key=key)
            assert wait_until(lambda: _waiting(shared_laboratory) == 1, PATIENCE)
        call.result()

    assert shared_laboratory.effects(key) == [1]


def test_an_event_and_timed_work_wait_for_a_lock_longer_than_any_call_may_last(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    timed = str(uuid4())

    with _locked(shared_laboratory):
        with pytest.raises(Unavailable):
            shared_specimen.rpc.call("specimen", "effect", deadline=0.3, key=str(uuid4()))
        (event,) = shared_laboratory.publish("")
        shared_laboratory.execute("insert into timed (key) values (:key)", key=timed)
        assert wait_until(lambda: _waiting(shared_laboratory) == 2, PATIENCE)
        waiting = _waiters(shared_laboratory)
        time.sleep(1.0)
        assert _waiters(shared_laboratory) == waiting, "one gave up"

    shared_laboratory.wait_for_effects(str(event), timed)


def test_a_transaction_that_comes_to_its_end_after_the_deadline_is_rolled_back(shared_laboratory: Laboratory) -> None:
    key = str(uuid4())

    with pytest.raises(Unavailable), _deadline(0.2), shared_laboratory.database.unit_of_work() as unit_of_work:  # noqa: PT012
        unit_of_work.connection.execute(_EFFECT, {"key": key})
        time.sleep(0.25)

    assert shared_laboratory.effects(key) == [0]


def test_a_snapshot_that_comes_to_its_end_after_the_deadline_is_unavailable(shared_laboratory: Laboratory) -> None:
    with pytest.raises(Unavailable), _deadline(0.2), shared_laboratory.database.snapshot():
        time.sleep(0.25)


def test_a_transaction_is_not_begun_after_the_deadline(shared_laboratory: Laboratory) -> None:
    with pytest.raises(Unavailable), _deadline(-0.1), shared_laboratory.database.unit_of_work():
        pytest.fail("it was begun")


def test_the_limit_ends_with_the_transaction_and_its_connection_is_used_again(shared_laboratory: Laboratory) -> None:
    database = Database(shared_laboratory.database.url, pool_size=1)
    key = str(uuid4())

    for _ in range(8):
        with _deadline(0.2), database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(_EFFECT, {"key": key})
        with _deadline(0.2), database.snapshot() as connection:
            connection.execute(_EFFECT, {"key": key})
    with pytest.raises(Exception) as raised, _deadline(0.2), database.unit_of_work() as unit_of_work:  # noqa: PT011
        unit_of_work.connection.execute(text("select pg_sleep(5)"))

    assert is_database_slow(raised.value)
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("select pg_sleep(0.4)"))
        assert unit_of_work.connection.scalar(text("show transaction_isolation")) == "read committed"
    assert shared_laboratory.effects(key) == [16]
    database.close()


def test_what_a_snapshot_reads_within_a_call_is_of_one_instant(shared_laboratory: Laboratory) -> None:
    key = str(uuid4())

    with _deadline(5.0), shared_laboratory.database.snapshot() as connection:
        count = text("select count(*) from effects where key = :key")
        before = connection.scalar(count, {"key": key})
        shared_laboratory.execute("insert into effects (key, source, pid) values (:key, 'test', 0)", key=key)
        assert connection.scalar(count, {"key": key}) == before


@pytest.mark.usefixtures("shared_specimen")
def test_a_call_made_within_a_call_ends_with_it(patient: RpcClient) -> None:
    patient.call("specimen", "echo", value=1)
    began = time.monotonic()

    with _deadline(0.3), pytest.raises(Unavailable):
        patient.call("specimen", "sleep", deadline=4.0, seconds=2.0)

    assert time.monotonic() - began < 1.5


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Do the work of the block as if it were that of a call that ends so soon."""
    bind_deadline(time.time() + seconds)
    try:
        yield
    finally:
        bind_deadline(FOREVER)


@contextmanager
def _locked(laboratory: Laboratory) -> Iterator[None]:
    """Let nobody else touch the effects."""
    with laboratory.database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("lock table effects in access exclusive mode"))
        yield


def _waiting(laboratory: Laboratory) -> int:
    return len(_waiters(laboratory))


def _waiters(laboratory: Laboratory) -> list[tuple[int, object]]:
    """Who waits for a lock, and since when."""
    statement = (
        "select pid, query_start from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock' order by pid"
    )
    return [tuple(row) for row in laboratory.rows(statement)]
