"""A service made to be tortured; run as a process of its own by the nursery that runs all services on one machine.

What an event does is said by its `time_zone`, the one free text that an event of learning carries.
"""

from chassis import greening

greening.patch()

import os  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from threading import Event  # noqa: E402
from typing import Any  # noqa: E402
from uuid import UUID, uuid4  # noqa: E402

import eventlet  # noqa: E402
from nameko.extensions import DependencyProvider  # noqa: E402
from sqlalchemy import text  # noqa: E402

from chassis import runner, telemetry  # noqa: E402
from chassis.clock import now  # noqa: E402
from chassis.context import traced  # noqa: E402
from chassis.database import UnitOfWork  # noqa: E402
from chassis.service import Delivery, Service, consumes, every, rpc  # noqa: E402
from chassis.settings import Settings  # noqa: E402
from contracts.errors import Conflict  # noqa: E402
from contracts.events import CourseCompleted, LessonCompleted  # noqa: E402
from contracts.topology import GAMIFICATION_LEARNING  # noqa: E402

_ATTEMPT = text("insert into attempts (event_id, batch) values (:event_id, :batch)")
_ATTEMPTS = text("select count(*) from attempts where event_id = :event_id")
_EFFECT = text("insert into effects (key, source, pid, batch) values (:key, :source, pg_backend_pid(), :batch)")

_log = telemetry.get_logger("specimen")


class Mortal(DependencyProvider):  # type: ignore[misc]
    """A part of the service that fails while it starts, in a thread that nameko manages, if so wished."""

    def get_dependency(self, worker_ctx: Any) -> "Mortal":
        return self

    def start(self) -> None:
        if os.environ.get("SPECIMEN_DIES_AT_START"):
            self.container.spawn_managed_thread(_die)
            Event().wait()


def _die() -> None:
    raise RuntimeError("a managed thread died")


class Specimen(Service):
    """Calls and events that do what a test wants to see."""

    name = "specimen"
    mortal = Mortal()

    @rpc
    def echo(self, value: Any) -> Any:
        """The value."""
        return value

    @rpc
    def sleep(self, seconds: float, key: str = "") -> str:
        """Writes that it began, sleeps without holding anything, then answers."""
        if key:
            self._effect(key, "began")
        time.sleep(seconds)
        return "woken"

    @rpc
    def sleep_in_database(self, seconds: float) -> str:
        """Sleeps inside PostgreSQL, as a slow query does."""
        with self.database.single_statement() as unit_of_work:
            unit_of_work.connection.execute(text("select pg_sleep(:seconds)"), {"seconds": seconds})
        return "woken"

    @rpc
    def effect(self, key: str) -> None:
        """Writes one row."""
        self._effect(key, "call")

    @rpc
    def tell(self, lesson_ids: list[UUID], instruction: str = "", fail: bool = False) -> None:
        """Tells one event for each lesson in one transaction, which fails at its end if so wished."""
        with self.database.unit_of_work() as unit_of_work:
            for sequence, lesson_id in enumerate(lesson_ids):
                unit_of_work.tell(_lesson_completed(lesson_id, instruction), sequence=sequence)
            _log.info("telling")
            if fail:
                raise Conflict("on-purpose")

    @rpc
    def ask_another(self, seconds: float, patience: float) -> str:
        """Calls a service (this one will do) and passes its answer on."""
        return str(self.rpc.call("specimen", "sleep", deadline=patience, seconds=seconds))

    @rpc
    def refuse(self) -> None:
        """Answers with an error on purpose."""
        raise Conflict("on-purpose")

    @rpc
    def break_down(self) -> None:
        """Has a fault."""
        raise ZeroDivisionError("a secret of the service")

    @rpc
    def answer_what_cannot_be_encoded(self) -> Any:
        """Answers with what is no data."""
        return object()

    @rpc
    def spoil_the_channels(self) -> None:
        """Makes the broker close the channel of every consumer, by a fault in what is sent on it."""
        for consumer in self.resources.consumers:
            assert consumer.channel is not None
            consumer.channel.basic_ack(999_999)

    @rpc
    def let_a_managed_thread_die(self) -> None:
        """Lets a thread that nameko manages end in an exception, as a fault in the chassis would."""
        eventlet.spawn_after(0.05, self.mortal.container.spawn_managed_thread, _die)

    @every(interval=0.25)
    def tick(self) -> None:
        """Does what the table of timed work says."""
        with self.database.unit_of_work() as unit_of_work:
            for key in unit_of_work.connection.scalars(text("delete from timed returning key")).all():
                if key == "fail":
                    raise ValueError("timed work went wrong")
                unit_of_work.connection.execute(_EFFECT, {"key": key, "source": "timer", "batch": None})

    @consumes(GAMIFICATION_LEARNING)
    def on_learning(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Writes one effect for each event, as the event wishes."""
        batch = uuid4()
        with self.database.single_statement() as outside:
            outside.connection.execute(
                _ATTEMPT, [{"event_id": delivery.envelope.id, "batch": batch} for delivery in deliveries]
            )
        for delivery in deliveries:
            with traced(delivery.cause):
                self._obey(unit_of_work, delivery, batch)

    def _obey(self, unit_of_work: UnitOfWork, delivery: Delivery, batch: UUID) -> None:
        event = delivery.event
        if isinstance(event, CourseCompleted):
            self._effect_in(unit_of_work, str(event.course_id), batch)
            return
        assert isinstance(event, LessonCompleted)
        wish, _, value = event.time_zone.partition(":")
        self._effect_in(unit_of_work, str(event.lesson_id), batch)
        if wish == "poison":
            raise ValueError(value.encode().decode("unicode_escape"))
        if wish == "fail-first" and self._attempts(delivery) <= int(value):
            raise ValueError(f"attempt {self._attempts(delivery)} of more than {value}")
        if wish == "too-many-parameters":
            numbers = ",".join(["%s"] * 70_000)
            unit_of_work.connection.exec_driver_sql(f"select {numbers}", tuple(range(70_000)))
        if wish == "sleep":
            time.sleep(float(value))
        if wish == "tell":
            unit_of_work.tell(_course_completed(UUID(value)))
        _log.info("obeyed", wish=wish)

    def _attempts(self, delivery: Delivery) -> int:
        with self.database.single_statement() as outside:
            return int(outside.connection.scalar(_ATTEMPTS, {"event_id": delivery.envelope.id}) or 0)

    def _effect(self, key: str, source: str) -> None:
        with self.database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(_EFFECT, {"key": key, "source": source, "batch": None})

    def _effect_in(self, unit_of_work: UnitOfWork, key: str, batch: UUID) -> None:
        unit_of_work.connection.execute(_EFFECT, {"key": key, "source": "event", "batch": batch})


def _lesson_completed(lesson_id: UUID, instruction: str) -> LessonCompleted:
    return LessonCompleted(
        user_id=lesson_id,
        course_id=lesson_id,
        lesson_id=lesson_id,
        completed_at=now(),
        time_zone=instruction,
        access="free",
        hasty=False,
    )


def _course_completed(course_id: UUID) -> CourseCompleted:
    return CourseCompleted(
        user_id=course_id, course_id=course_id, completed_at=now(), time_zone="UTC", access="free", lessons=1
    )


def run_service(name: str, private_port: int) -> None:
    """What the nursery calls in the process that it forked, as it calls `chassis.runner.run_service`."""
    settings = Settings.from_environment()
    telemetry.configure_logs(name, settings.log_level)
    runner.run(Specimen, settings, private_port)
