"""An academy for each module of these tests, which break it, and students who do not give up."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from chassis.database import Database
from chassis.rpc_client import RpcClient
from tests.academy import AcademyUnderTest
from tests.seed import Seed, sow

PATIENCE = 60.0


@dataclass
class Learners:
    """The students of one free course, who ask again until they get an answer that is none of "not now"."""

    academy: AcademyUnderTest
    seed: Seed

    def complete(self, client: httpx.Client, user_id: UUID, lesson_id: UUID) -> dict[str, Any]:
        """The answer to finishing a lesson; no answer but 200 and 503 is ever seen, nor is one lost for long."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = client.post(
                    f"{self.academy.base_url}/v1/lessons/{lesson_id}/complete",
                    headers={"Authorization": f"Bearer {self.seed.tokens[user_id]}"},
                )
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 503, answer.text
            assert "Retry-After" in answer.headers
            time.sleep(0.05)
        raise AssertionError("no answer in time")

    def rows(self, owner: str, statement: str, **values: Any) -> list[Any]:
        """What a database of the academy says."""
        database = Database(self.academy.database_url(owner), pool_size=1)
        try:
            with database.single_statement() as unit_of_work:
                return list(unit_of_work.connection.execute(text(statement), values).all())
        finally:
            database.close()

    def events(self, event_type: str) -> dict[UUID, int]:
        """How many events of a type progress has told of each of these students, published or not yet."""
        told = self.rows(
            "progress",
            "select partition_key, count(*) as number from "
            "(select type, partition_key from outbox union all select type, partition_key from event_log) events "
            "where type = :type group by partition_key",
            type=event_type,
        )
        numbers = {UUID(row.partition_key): row.number for row in told}
        return {user_id: numbers[user_id] for user_id in self.seed.tokens if user_id in numbers}

    def xp(self) -> dict[UUID, int]:
        """Each student's XP, as the game's summary has it."""
        known = {row.user_id: row.xp for row in self.rows("gamification", "select user_id, xp from students")}
        return {user_id: known.get(user_id, 0) for user_id in self.seed.tokens}

    def ledger(self) -> dict[UUID, int]:
        """Each student's XP, as the sum of the ledger."""
        rows = self.rows("gamification", "select user_id, sum(xp) as xp from ledger group by user_id")
        known = {row.user_id: int(row.xp) for row in rows}
        return {user_id: known.get(user_id, 0) for user_id in self.seed.tokens}


@pytest.fixture(scope="module")
def academy() -> Iterator[AcademyUnderTest]:
    with AcademyUnderTest({"BUS_RETRY_DELAYS": "0.1,0.2", "LOG_LEVEL": "warning"}) as academy:
        yield academy


@pytest.fixture(scope="module")
def rpc(academy: AcademyUnderTest) -> Iterator[RpcClient]:
    client = RpcClient(academy.amqp_uri, prefix=academy.settings.bus_prefix, deadline=10)
    yield client
    client.stop()


def learners(academy: AcademyUnderTest, rpc: RpcClient, *, students: int, lessons: int) -> Learners:
    """Enrolled students of a new course."""
    return Learners(academy, sow(academy.settings, rpc, students=students, lessons=lessons))


def eventually_equal(found: Any, wanted: Any, patience: float = PATIENCE) -> None:
    """Ask `found` until it gives what is wanted; fails with the difference after `patience` seconds."""
    until = time.monotonic() + patience
    while (value := found()) != wanted:
        if time.monotonic() > until:
            assert value == wanted
        time.sleep(0.05)
