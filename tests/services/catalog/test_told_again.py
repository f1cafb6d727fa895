"""Academies that were there before the game kept copies: the migration tells what is there."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from chassis.database import Database
from chassis.migrations import configuration, migrate
from contracts.events.catalog import QuizChanged, QuizQuestion
from services.catalog import handlers, queries
from tests.conftest import DatabaseFactory
from tests.services.catalog.catalogue import QUESTIONS, Catalogue


@pytest.fixture
def old_catalogue(database_url_for: DatabaseFactory) -> Iterator[Catalogue]:
    """A catalog as it was at first."""
    url = database_url_for("catalog")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade; create schema public"))
    engine.dispose()
    command.upgrade(configuration(url, "catalog"), "bus_0001")
    command.upgrade(configuration(url, "catalog"), "catalog_0001")
    database = Database(url)
    catalogue = Catalogue(database)
    catalogue.do(handlers.create_category, "admin", "dev-web", "Développement web")
    yield catalogue
    database.close()


def test_every_course_and_quiz_is_told_as_it_is(old_catalogue: Catalogue) -> None:
    catalogue = old_catalogue
    bonus = catalogue.published(lessons=3, title="L’« élite »", unlock_streak_days=7)
    second = catalogue.chapter(bonus, "Un autre")
    catalogue.lesson(second, kind="project", title="Un projet", free_preview=True)
    catalogue.do(handlers.set_quiz, catalogue.author, second.id, 20, QUESTIONS)
    draft = catalogue.course(title="Vide", price_amount=4900)
    gone = catalogue.course(title="Parti")
    catalogue.do(handlers.delete_course, catalogue.author, gone.id)
    catalogue.execute("truncate outbox")

    migrate(catalogue.database.url, "catalog")

    told = {item.event.partition_key(): item for item in catalogue.told() if not isinstance(item.event, QuizChanged)}
    assert set(told) == {str(course.id) for course in (bonus, draft, gone)}
    for course in (bonus, draft, gone):
        state = catalogue.read(queries.get_outline, course_id=course.id)
        assert (told[str(course.id)].sequence, told[str(course.id)].event) == (state.sequence, state.course)
    [quiz] = catalogue.quiz_events(second.id)
    assert quiz.sequence == told[str(bonus.id)].sequence
    [question] = QUESTIONS
    assert quiz.event == QuizChanged(
        chapter_id=second.id,
        course_id=bonus.id,
        time_limit_seconds=20,
        questions=(QuizQuestion(question.text, question.choices, question.answer),),
    )
