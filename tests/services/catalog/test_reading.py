"""Reading the catalog: who sees what, page by page, and at what cost."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from contracts.errors import NotFound
from services.catalog import handlers, queries
from services.catalog.answers import Chapter, Course, CoursePage, Lesson
from services.catalog.commands import CourseChanges, LessonChanges
from services.catalog.domain.access import Viewer
from tests.services.catalog.catalogue import QUESTIONS, VTT, Catalogue, answer_of, lesson_fields, refused

BODY = "Le secret de la leçon"

SOME_ID = "0ef67539-022f-4e8a-be79-574151ead903"


@pytest.fixture
def viewers(catalogue: Catalogue) -> dict[str, Viewer]:
    return {
        "nobody": Viewer(),
        "student": Viewer(uuid4(), "student"),
        "holder": Viewer(uuid4(), "student", entitled=True),
        "other instructor": Viewer(uuid4(), "instructor"),
        "author": catalogue.author,
        "admin": Viewer(uuid4(), "admin"),
    }


class Written:
    """A course with everything in it, taken to a status."""

    def __init__(self, catalogue: Catalogue, status: str) -> None:
        self.catalogue = catalogue
        self.course = catalogue.course(title="Cours secret", slug="secret", description=BODY)
        self.chapter = catalogue.chapter(self.course)
        self.lesson = catalogue.lesson(self.chapter, title="Leçon", body=BODY)
        self.preview = catalogue.lesson(self.chapter, title="Aperçu", body=BODY, free_preview=True)
        self.course_id, self.chapter_id = self.course.id, self.chapter.id
        self.lesson_id, self.preview_id = self.lesson.id, self.preview.id
        for lesson in (self.lesson, self.preview):
            catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT)
        catalogue.do(handlers.set_quiz, catalogue.author, self.chapter.id, 20, QUESTIONS)
        catalogue.do(handlers.update_course, catalogue.author, self.course.id, CourseChanges(slug="tres-secret"))
        if status != "draft":
            catalogue.do(handlers.publish_course, catalogue.author, self.course.id)
        if status == "unpublished":
            catalogue.do(handlers.unpublish_course, catalogue.author, self.course.id)
        if status == "archived":
            catalogue.do(handlers.archive_course, catalogue.author, self.course.id)

    def forget(self) -> None:
        """From now on, ask for what never was."""
        self.course_id = self.chapter_id = self.lesson_id = self.preview_id = uuid4()

    def reads(self, viewer: Viewer) -> dict[str, Callable[[], object]]:
        """Every read of the course by the viewer."""
        read: Any = self.catalogue.read
        return {
            "course": lambda: read(queries.get_course, self.course_id, viewer),
            "slug": lambda: read(queries.get_course_by_slug, "tres-secret", viewer),
            "old slug": lambda: read(queries.get_course_by_slug, "secret", viewer),
            "outline": lambda: read(queries.get_course_with_chapters, self.course_id, viewer),
            "chapter": lambda: read(queries.get_chapter, self.chapter_id, viewer),
            "lesson": lambda: read(queries.get_lesson, self.lesson_id, viewer),
            "preview": lambda: read(queries.get_lesson, self.preview_id, viewer),
            "transcript": lambda: read(queries.get_transcript, self.lesson_id, viewer),
            "preview's transcript": lambda: read(queries.get_transcript, self.preview_id, viewer),
        }

    def changes(self, author: Viewer) -> dict[str, Callable[[], object]]:
        """Every change of the course, and the reads that are the author's own."""
        do: Any = self.catalogue.do
        course, chapter, lesson = self.course_id, self.chapter_id, self.lesson_id
        return {
            "update course": lambda: do(handlers.update_course, author, course, CourseChanges(title="Pris")),
            "publish": lambda: do(handlers.publish_course, author, course),
            "unpublish": lambda: do(handlers.unpublish_course, author, course),
            "archive": lambda: do(handlers.archive_course, author, course),
            "delete course": lambda: do(handlers.delete_course, author, course),
            "create chapter": lambda: do(handlers.create_chapter, author, course, "Pris"),
            "update chapter": lambda: do(handlers.update_chapter, author, chapter, "Pris"),
            "delete chapter": lambda: do(handlers.delete_chapter, author, chapter),
            "create lesson": lambda: do(handlers.create_lesson, author, chapter, lesson_fields()),
            "update lesson": lambda: do(handlers.update_lesson, author, lesson, LessonChanges(title="Pris")),
            "delete lesson": lambda: do(handlers.delete_lesson, author, lesson),
            "order": lambda: do(handlers.set_order, author, course, []),
            "transcript": lambda: do(handlers.set_transcript, author, lesson, VTT),
            "quiz": lambda: do(handlers.set_quiz, author, chapter, 20, QUESTIONS),
            "read quiz": lambda: do(handlers.get_quiz, author, chapter),
        }


def answers(works: dict[str, Callable[[], object]]) -> dict[str, str]:
    return {name: answer_of(work) for name, work in works.items()}


@pytest.mark.parametrize("status", ["draft", "unpublished", "archived"])
def test_what_is_not_published_does_not_exist_for_strangers(
    catalogue: Catalogue, viewers: dict[str, Viewer], status: str
) -> None:
    written = Written(catalogue, status)
    knowing = {"author", "admin"} if status == "draft" else {"author", "admin", "holder"}
    for name, viewer in viewers.items():
        expected = "ok" if name in knowing else "not-found"
        assert set(answers(written.reads(viewer)).values()) == {expected}, name


def test_an_unknown_course_answers_as_one_that_may_not_be_known(catalogue: Catalogue) -> None:
    written = Written(catalogue, "draft")
    hidden = answers(written.reads(Viewer(uuid4(), "instructor")))
    written.forget()
    unknown = {name: answer_of(read) for name, read in written.reads(Viewer()).items() if "slug" not in name}
    assert unknown.items() <= hidden.items()
    for slug in ("inconnu", "", "É\0", "a" * 5000, str(uuid4())):
        assert answer_of(lambda slug=slug: catalogue.read(queries.get_course_by_slug, slug, Viewer())) == "not-found"  # type: ignore[misc]


def test_no_list_or_count_knows_of_what_is_not_published(catalogue: Catalogue) -> None:
    for status in ("draft", "unpublished", "archived"):
        written = Written(catalogue, status)
        assert catalogue.read(queries.get_published_courses) == CoursePage((), None)
        for word in ("secret", "Cours", BODY):
            assert catalogue.read(queries.get_published_courses, q=word) == CoursePage((), None)
        assert catalogue.read(queries.get_published_courses, category="dev-web", level="beginner").items == ()
        assert [category.courses for category in catalogue.read(queries.get_categories)] == [0]
        assert catalogue.read(queries.get_instructor_courses, uuid4()).items == ()
        slug = f"fini-{status}"
        catalogue.do(handlers.update_course, catalogue.author, written.course.id, CourseChanges(slug=slug))
        catalogue.execute("delete from course_slugs where slug in ('secret', 'tres-secret')")


def test_in_a_published_course_only_content_is_for_some(catalogue: Catalogue, viewers: dict[str, Viewer]) -> None:
    written = Written(catalogue, "published")
    for name, viewer in viewers.items():
        may = name in ("author", "admin", "holder")
        found = answers(written.reads(viewer))
        assert {key for key, answer in found.items() if answer != "ok"} == (
            set() if may else {"lesson", "transcript"}
        ), name
        assert {found["lesson"], found["transcript"]} == ({"ok"} if may else {"purchase-required"})
        chapter = written.reads(viewer)["chapter"]()
        assert isinstance(chapter, Chapter)
        assert [lesson.body for lesson in chapter.lessons] == [BODY if may else None, BODY], name


def test_a_videos_id_is_hidden_with_the_body(catalogue: Catalogue) -> None:
    written = Written(catalogue, "published")
    video_id = uuid4()
    catalogue.execute("update lessons set kind = 'video', video_id = :id, video_status = 'ready'", id=video_id)
    shown = [
        [lesson.video_id for lesson in catalogue.read(queries.get_chapter, written.chapter.id, viewer).lessons]
        for viewer in (Viewer(), catalogue.author)
    ]
    assert shown == [[None, video_id], [video_id, video_id]]
    lesson = catalogue.read(queries.get_lesson, written.lesson.id, catalogue.author)
    assert isinstance(lesson, Lesson)
    assert lesson.video_id == video_id


@pytest.mark.parametrize(
    ("status", "strangers_are_told"), [("draft", "not-found"), ("published", "forbidden"), ("archived", "forbidden")]
)
def test_only_the_author_and_admins_change_a_course(
    catalogue: Catalogue, viewers: dict[str, Viewer], status: str, strangers_are_told: str
) -> None:
    written = Written(catalogue, status)
    before = len(catalogue.told())
    for name in ("nobody", "student", "holder"):
        assert set(answers(written.changes(viewers[name])).values()) == {"forbidden"}, name
    assert set(answers(written.changes(viewers["other instructor"])).values()) == {strangers_are_told}
    assert len(catalogue.told()) == before
    for name in ("author", "admin"):
        assert written.changes(viewers[name])["update chapter"]() is not None


def test_students_do_not_learn_from_changes_what_exists(catalogue: Catalogue, viewers: dict[str, Viewer]) -> None:
    written = Written(catalogue, "draft")
    written.forget()
    assert set(answers(written.changes(viewers["student"])).values()) == {"forbidden"}
    assert set(answers(written.changes(viewers["author"])).values()) == {"not-found"}


def test_only_instructors_and_admins_make_courses(catalogue: Catalogue, viewers: dict[str, Viewer]) -> None:
    made = {name: answer_of(lambda v=viewer: catalogue.course(author=v)) for name, viewer in viewers.items()}  # type: ignore[misc]
    assert {name for name, answer in made.items() if answer == "ok"} == {"author", "other instructor", "admin"}
    assert {answer for name, answer in made.items() if answer != "ok"} == {"forbidden"}


def test_an_instructor_sees_all_own_courses_and_no_others(catalogue: Catalogue) -> None:
    draft, published = catalogue.course(title="Brouillon"), catalogue.published(title="En ligne")
    catalogue.course(author=Viewer(uuid4(), "instructor"))
    page = catalogue.read(queries.get_instructor_courses, catalogue.author_id)
    assert [course.id for course in page.items] == [published.id, draft.id]
    assert all(isinstance(course, Course) for course in page.items)
    assert page.items[0] == published


def pages(catalogue: Catalogue, limit: int, between: Callable[[], object] = lambda: None, **filters: Any) -> list[UUID]:
    """The ids of all published courses, read page by page."""
    found: list[UUID] = []
    cursor = None
    while True:
        page = catalogue.read(queries.get_published_courses, limit=limit, cursor=cursor, **filters)
        assert len(page.items) <= limit
        found += [course.id for course in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == limit
        between()


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
def test_pages_hold_every_published_course_once_newest_first(catalogue: Catalogue, limit: int) -> None:
    courses = [catalogue.published().id for _ in range(6)]
    catalogue.execute("update courses set published_at = '2026-11-01' where id = any(:ids)", ids=courses[:4])
    found = pages(catalogue, limit)
    assert found[:2] == [courses[5], courses[4]]
    assert found[2:] == sorted(courses[:4], reverse=True)


def test_courses_published_meanwhile_neither_double_nor_hide_others(catalogue: Catalogue) -> None:
    courses = [catalogue.published().id for _ in range(5)]
    found = pages(catalogue, 2, between=lambda: catalogue.published())
    assert found == courses[::-1]


def test_filters_narrow_every_page(catalogue: Catalogue) -> None:
    catalogue.do(handlers.create_category, "admin", "design", "Design")
    web = [catalogue.published(level="advanced").id for _ in range(3)]
    design = [catalogue.published(category="design").id for _ in range(3)]
    assert pages(catalogue, 2, category="design") == design[::-1]
    assert pages(catalogue, 2, level="advanced") == web[::-1]
    assert pages(catalogue, 2, level="advanced", category="design") == []
    assert pages(catalogue, 2, category="inconnue") == pages(catalogue, 2, category="É\0") == []


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("ETE", True),
        ("été", True),
        ("e\u0301te\u0301 python", True),
        ("python l'oeuvre", True),
        ("L’ŒUVRE", True),
        ("cent%", True),
        ("boucles", True),
        ("", True),
        ("python absent", False),
        ("e_e", False),
        ("%%", False),
        ("\\", False),
        ("print", False),
        ("ete\0", True),
    ],
)
def test_a_search_knows_neither_case_nor_accents_nor_wildcards(catalogue: Catalogue, q: str, found: bool) -> None:
    course = catalogue.published(
        title="Un Été de Python", subtitle="À l’œuvre, à cent%", description="Les **boucles**.\n\n```\nprint(1)\n```"
    )
    page = catalogue.read(queries.get_published_courses, q=q)
    assert [item.id for item in page.items] == ([course.id] if found else [])


def test_a_bonus_course_is_listed_as_a_teaser(catalogue: Catalogue) -> None:
    course = catalogue.published(unlock_streak_days=7)
    (item,) = catalogue.read(queries.get_published_courses).items
    assert (item.id, item.unlock and item.unlock.streak_days, item.price.amount) == (course.id, 7, 0)


@pytest.mark.parametrize("limit", [0, -1, 101, 10**12])
def test_a_limit_is_from_1_to_100(catalogue: Catalogue, limit: int) -> None:
    assert [pointer for pointer, _ in refused(lambda: catalogue.read(queries.get_published_courses, limit=limit))] == [
        "/limit"
    ]


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "?", "é", "AAAA", "a" * 5000, packed({}), packed([1, 2]), packed(["2026-11-23T12:00:00", SOME_ID]),
     packed(["2026-11-23T12:00:00+00:00", "x"]), packed(["x", SOME_ID]), packed([None, None]), packed("[" * 900)],
)  # fmt: skip
def test_a_bad_cursor_is_refused(catalogue: Catalogue, cursor: str) -> None:
    bad = [("/cursor", "bad-cursor")]
    assert refused(lambda: catalogue.read(queries.get_published_courses, cursor=cursor)) == bad
    assert refused(lambda: catalogue.read(queries.get_instructor_courses, uuid4(), cursor=cursor)) == bad


def test_a_course_in_a_list_counts_its_lessons_and_their_seconds(catalogue: Catalogue) -> None:
    course = catalogue.published(lessons=3, description="Une **description**.")
    (item,) = catalogue.read(queries.get_published_courses).items
    assert (item.lessons, item.duration_seconds) == (course.lessons, course.duration_seconds) == (3, 180)
    assert course.seo.description == "Une description."
    assert course.seo.json_ld["hasCourseInstance"][0]["courseWorkload"] == "PT3M"


def test_courses_are_found_by_their_ids_whatever_their_status_unless_they_are_deleted(catalogue: Catalogue) -> None:
    published, archived, unpublished = catalogue.published(lessons=3), catalogue.published(), catalogue.published()
    catalogue.do(handlers.archive_course, catalogue.author, archived.id)
    catalogue.do(handlers.unpublish_course, catalogue.author, unpublished.id)
    empty, deleted = catalogue.course(), catalogue.course()
    catalogue.do(handlers.delete_course, catalogue.author, deleted.id)
    wanted = [published.id, archived.id, unpublished.id, empty.id]
    catalogue.published()

    found = {item.id: item for item in catalogue.read(queries.get_courses, [*wanted, deleted.id, uuid4(), empty.id])}

    assert {course_id: item.status for course_id, item in found.items()} == dict(
        zip(wanted, ["published", "archived", "unpublished", "draft"], strict=True)
    )
    (listed,) = [item for item in catalogue.read(queries.get_published_courses).items if item.id == published.id]
    assert found[published.id] == listed
    assert (found[empty.id].lessons, found[empty.id].duration_seconds) == (0, 0)
    assert catalogue.read(queries.get_courses, []) == ()


def test_an_outline_is_found_by_course_or_lesson(catalogue: Catalogue) -> None:
    written = Written(catalogue, "draft")
    by_course = catalogue.read(queries.get_outline, course_id=written.course.id)
    assert by_course == catalogue.read(queries.get_outline, lesson_id=written.lesson.id)
    assert (by_course.course.slug, by_course.course.status) == ("tres-secret", "draft")
    with pytest.raises(NotFound):
        catalogue.read(queries.get_outline, course_id=uuid4())


def test_the_state_of_a_chapter_is_what_its_events_tell(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapter, other = catalogue.chapter(course), catalogue.chapter(course)
    catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 20, QUESTIONS)

    state = catalogue.read(queries.get_chapter_state, chapter.id)

    assert state.quiz == catalogue.quiz_events(chapter.id)[-1].event
    assert (state.sequence, state.course.course_id) == (catalogue.quiz_events(chapter.id)[-1].sequence, course.id)
    assert catalogue.read(queries.get_chapter_state, other.id).quiz.questions == ()
    with pytest.raises(NotFound):
        catalogue.read(queries.get_chapter_state, uuid4())


@contextmanager
def counted(catalogue: Catalogue) -> Iterator[list[str]]:
    """The statements that the block sends."""
    statements: list[str] = []

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = catalogue.database.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_the_number_of_statements_does_not_grow_with_the_course(catalogue: Catalogue) -> None:
    course = catalogue.course()
    for _ in range(5):
        chapter = catalogue.chapter(course)
        for _ in range(4):
            lesson = catalogue.lesson(chapter)
    catalogue.do(handlers.publish_course, catalogue.author, course.id)
    for _ in range(3):
        catalogue.published()
    costs: dict[str, tuple[Callable[[], object], int]] = {
        "list": (lambda: catalogue.read(queries.get_published_courses), 2),
        "own": (lambda: catalogue.read(queries.get_instructor_courses, catalogue.author_id), 2),
        "several": (lambda: catalogue.read(queries.get_courses, [course.id, chapter.id]), 1),
        "course": (lambda: catalogue.read(queries.get_course_by_slug, course.slug, Viewer()), 2),
        "outline": (lambda: catalogue.read(queries.get_course_with_chapters, course.id, Viewer()), 2),
        "chapter": (lambda: catalogue.read(queries.get_chapter, chapter.id, Viewer()), 2),
        "lesson": (lambda: catalogue.read(queries.get_lesson, lesson.id, catalogue.author), 1),
        "state": (lambda: catalogue.read(queries.get_outline, lesson_id=lesson.id), 2),
        "categories": (lambda: catalogue.read(queries.get_categories), 1),
    }
    for name, (read, most) in costs.items():
        with counted(catalogue) as statements:
            read()
        assert len(statements) == most, (name, statements)


def test_a_page_of_courses_is_read_through_an_index(catalogue: Catalogue) -> None:
    catalogue.published()
    catalogue.execute(
        "insert into courses select gen_random_uuid(), instructor_id, null, title, subtitle, description, category, "
        "level, language, cover_url, price_amount, price_currency, null, practical, 'deleted', 1, '', '', created_at, "
        "updated_at, null from courses, generate_series(1, 5000)"
    )
    catalogue.execute("analyze courses")
    with catalogue.database.unit_of_work() as unit_of_work:
        plan = unit_of_work.connection.exec_driver_sql(
            "explain select id from courses where status = 'published' order by published_at desc, id desc limit 21"
        ).scalars()
        assert any("courses_published_idx" in line for line in plan)
