"""What is counted again from retained events, while live ones keep coming, is what was counted before."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import pytest
from sqlalchemy import text

from chassis.bus import replay as replaying
from chassis.bus.dead_letters import list_dead_letters
from chassis.bus.relay import Relay
from chassis.database import Database
from chassis.local import rebuilding
from chassis.local.processes import StartError, free_ports
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.errors import Conflict, Unavailable
from contracts.topology import ANALYTICS_EVENTS, ANALYTICS_REPLAY
from services.analytics import rebuild
from services.analytics.projection import LIVE, SHADOW, Heard
from services.analytics.tables import metadata, projection
from tests.conftest import SettingsFactory
from tests.services.analytics.books import MONDAY, Books
from tests.services.analytics.model import Model
from tests.services.analytics.test_any_order import a_long_history
from tests.services.running import eventually
from tests.services.tables import assert_migrated_as_coded

OWNERS = ("accounts", "catalog", "progress", "purchase")


class Academy:
    """The owners' databases with their relays, and analytics as a process that may be killed."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix)
        self.told: list[Heard] = []
        self.analytics = Database(settings.database_url_for("analytics"))
        self.books = Books(self.analytics)
        self._owners = {owner: Database(settings.database_url_for(owner)) for owner in OWNERS}
        self._process: subprocess.Popen[bytes] | None = None
        for database in self._owners.values():
            relay = Relay(database, settings)
            relay.start()
            stack.callback(database.close)
            stack.callback(relay.stop)
        stack.callback(self.analytics.close)
        stack.callback(self.rpc.stop)
        stack.callback(self.kill)

    def start(self) -> None:
        """Start analytics and wait until it answers."""
        environment = os.environ | {
            "AMQP_URI": self.settings.amqp_uri,
            "BUS_PREFIX": self.settings.bus_prefix,
            "BUS_RETRY_DELAYS": ",".join(map(str, self.settings.bus_retry_delays)),
            "DATABASE_URL_ANALYTICS": self.settings.database_url_for("analytics"),
        }
        command = [sys.executable, "-m", "chassis.local.single", "analytics", str(free_ports(1)[0])]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        eventually(lambda: self.handled_again() is not None)

    def kill(self) -> None:
        """End analytics at once, whatever it is doing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def handled_again(self) -> int | None:
        """How many events a rebuild has handled; None while analytics does not answer."""
        try:
            return int(self.rpc.call("analytics", "get_rebuild", deadline=0.5)["handled"])
        except Unavailable:
            return None

    def tell(self, heard: Sequence[Heard]) -> None:
        """Let the owners tell these events, each in a transaction of its own."""
        for event, sequence in heard:
            with self._owners[event.type.split(".")[0]].unit_of_work() as unit_of_work:
                unit_of_work.tell(event, sequence=sequence)
        self.told += heard

    def wait_until_heard(self) -> None:
        """Wait until analytics has taken in all that was told."""
        count = text("select count(*) from inbox where handler = 'analytics.events'")
        with self.analytics.single_statement() as unit_of_work:
            eventually(lambda: unit_of_work.connection.scalar(count) == len(self.told))


@pytest.fixture
def academy(settings_for: SettingsFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Academy]:
    """An academy whose events are sent again in small batches."""
    monkeypatch.setattr(replaying, "EVENTS_IN_MESSAGE", 10)
    monkeypatch.setattr(replaying, "MESSAGES_AT_ONCE", 1)
    monkeypatch.setattr(rebuilding, "AHEAD", 20)
    monkeypatch.setattr(rebuilding, "LOOK", 0.02)
    with ExitStack() as stack:
        yield Academy(settings_for(*OWNERS, "analytics"), stack)


def test_a_rebuild_during_which_events_are_told_and_the_service_is_killed_ends_equal(
    academy: Academy, books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    history = a_long_history(Random(5))
    before, meanwhile = history[: len(history) * 2 // 3], history[len(history) * 2 // 3 :]
    academy.start()
    academy.tell(before)
    academy.wait_until_heard()

    with ThreadPoolExecutor(2) as others:
        rebuilt = others.submit(rebuilding.rebuild_projection, academy.settings)
        eventually(lambda: (academy.handled_again() or 0) > 30)
        telling = others.submit(academy.tell, meanwhile)
        eventually(lambda: (academy.handled_again() or 0) > 60)
        academy.kill()
        assert not rebuilt.done(), "it was over before the service was killed"
        academy.start()
        telling.result(timeout=30)
        rebuilt.result(timeout=60)
    academy.wait_until_heard()

    assert "The numbers are equal to those before." in capsys.readouterr().out
    books.receive(academy.told)
    assert academy.books.dump() == books.dump()
    assert academy.rpc.call("analytics", "get_rebuild")["state"] == "none"
    assert_nothing_is_left(academy.analytics)


def test_a_batch_that_cannot_be_handled_goes_to_the_dead_letters_and_the_numbers_stay(academy: Academy) -> None:
    academy.start()
    academy.tell(a_long_history(Random(6))[:100])
    academy.wait_until_heard()
    before = academy.books.dump()
    poison(academy, "update event_log set data = '{}' where type = 'accounts.user_registered.v1'")

    with pytest.raises(StartError, match="cannot be handled"):
        rebuilding.rebuild_projection(academy.settings)

    letters = list_dead_letters(academy.settings, ANALYTICS_REPLAY.name)
    assert letters
    assert all(letter.reason.startswith("Undecodable: ") for letter in letters)
    assert academy.books.dump() == before
    assert_nothing_is_left(academy.analytics)


def test_a_second_rebuild_says_that_one_runs(academy: Academy) -> None:
    with rebuilding._alone(academy.settings), pytest.raises(StartError, match="already"):
        rebuilding.rebuild_projection(academy.settings)


def test_what_is_left_in_the_queue_of_a_rebuild_given_up_changes_nothing(academy: Academy) -> None:
    academy.start()
    academy.tell(a_long_history(Random(7))[:50])
    academy.wait_until_heard()
    before = academy.books.dump()
    with replaying.retained(academy.settings, ANALYTICS_EVENTS) as events:
        assert sum(replaying.replay(academy.settings, events, ANALYTICS_REPLAY)) == 50

    claimed = text("select count(*) from inbox where handler = 'analytics.replay'")
    with academy.analytics.single_statement() as unit_of_work:
        eventually(lambda: unit_of_work.connection.scalar(claimed) == 50)

    assert academy.books.dump() == before
    rebuilding.rebuild_projection(academy.settings)
    assert academy.books.dump() == before


def test_live_events_are_taken_in_by_both(books: Books) -> None:
    history = a_long_history(Random(8))
    books.receive(history[:200])
    rebuild.begin_rebuild(books.database, MONDAY)
    books.receive(history[200:])
    replay_into(books, history[:200])

    assert books.dump(SHADOW) == books.dump(LIVE)
    rebuilt = rebuild.finish_rebuild(books.database, 200)

    assert rebuilt.differing == 0
    assert rebuilt.rows == sum(len(rows) for rows in Model(history).counts().values())
    left = books.dump()
    assert {name: left[name] for name in Model(history).counts()} == Model(history).counts()


def test_the_tables_of_a_rebuild_are_those_of_the_code(books: Books) -> None:
    rebuild.begin_rebuild(books.database, MONDAY)
    rebuild.finish_rebuild(books.database, 0)

    assert_migrated_as_coded(Database(f"{books.database.url}?options=-csearch_path%3D{LIVE}"), projection)
    assert_migrated_as_coded(books.database, metadata)


def test_a_rebuild_that_is_begun_again_begins_with_nothing(books: Books) -> None:
    history = a_long_history(Random(9))
    books.receive(history)
    rebuild.begin_rebuild(books.database, MONDAY)
    replay_into(books, history[:100])

    rebuild.begin_rebuild(books.database, MONDAY)

    with books.database.single_statement() as unit_of_work:
        assert rebuild.get_rebuild(unit_of_work.connection).handled == 0
    assert not any(books.dump(SHADOW).values())


def test_a_rebuild_is_not_finished_before_all_events_are_handled(books: Books) -> None:
    history = a_long_history(Random(10))
    books.receive(history)
    before = books.dump()
    with pytest.raises(Conflict, match="no-rebuild"):
        rebuild.finish_rebuild(books.database, 0)
    rebuild.begin_rebuild(books.database, MONDAY)
    replay_into(books, history[:-1])

    with pytest.raises(Conflict, match="rebuild-unfinished"):
        rebuild.finish_rebuild(books.database, len(history))

    assert books.dump() == before
    replay_into(books, history[-1:])
    assert rebuild.finish_rebuild(books.database, len(history)).differing == 0


@pytest.mark.parametrize("wrong", ["student_days", "ref_registrations"])
def test_numbers_that_were_wrong_are_right_after_a_rebuild_and_it_says_how_many_were(books: Books, wrong: str) -> None:
    history = a_long_history(Random(11))
    books.receive(history)
    right = books.dump()
    with books.database.single_statement() as unit_of_work:
        unit_of_work.connection.exec_driver_sql(f"delete from projection.{wrong}")
    rebuild.begin_rebuild(books.database, MONDAY)
    replay_into(books, history)

    rebuilt = rebuild.finish_rebuild(books.database, len(history))

    assert rebuilt.differing == len(right[wrong]) > 0
    assert books.dump() == right


def test_a_rebuild_given_up_leaves_the_projection_alone(books: Books) -> None:
    history = a_long_history(Random(12))
    books.receive(history)
    before = books.dump()
    rebuild.begin_rebuild(books.database, MONDAY)
    replay_into(books, history[:50])

    rebuild.abandon_rebuild(books.database)
    replay_into(books, history[50:])

    assert books.dump() == before
    assert_nothing_is_left(books.database)


def replay_into(books: Books, heard: Sequence[Heard]) -> None:
    """Let events arrive that were sent again."""
    with books.database.unit_of_work() as unit_of_work:
        rebuild.replayed(unit_of_work, heard)


def poison(academy: Academy, statement: str) -> None:
    """Spoil what an owner retains."""
    database = Database(academy.settings.database_url_for("accounts"))
    with database.single_statement() as unit_of_work:
        eventually(lambda: unit_of_work.connection.execute(text(statement)).rowcount)
    database.close()


def assert_nothing_is_left(database: Database) -> None:
    """No schema, claim or state of a rebuild is."""
    with database.single_statement() as unit_of_work:
        connection = unit_of_work.connection
        schemas = connection.scalars(text("select nspname from pg_namespace where nspname like 'projection%'"))
        assert schemas.all() == [LIVE]
        assert connection.scalar(text("select count(*) from rebuilds")) == 0
