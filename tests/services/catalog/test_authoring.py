"""Writing courses: what is kept, what is refused, and what is told."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Conflict, Forbidden, NotFound
from contracts.events.catalog import CourseChanged
from services.catalog import handlers, queries
from services.catalog.answers import Course, OutlineChapter
from services.catalog.commands import (
    CourseChanges,
    LessonChanges,
    OrderedChapter,
    Price,
    Question,
    UnlockRule,
)
from services.catalog.domain import courses as limits
from services.catalog.domain.access import Viewer
from tests.services.catalog.catalogue import QUESTIONS, VTT, Catalogue, answer_of, course_fields, lesson_fields, refused


def outline(catalogue: Catalogue, course: Course) -> tuple[OutlineChapter, ...]:
    return catalogue.read(queries.get_course_with_chapters, course.id, catalogue.author).chapters


def titles(catalogue: Catalogue, course: Course) -> list[tuple[str, list[str]]]:
    return [(c.title, [lesson.title for lesson in c.lessons]) for c in outline(catalogue, course)]


def test_a_new_course_is_a_draft_with_everything_that_was_written(catalogue: Catalogue) -> None:
    course = catalogue.course(
        title="  L'été du web ",
        subtitle="En *bref*",
        description="Une **ligne** <b>nue</b>.\n\n```html\n<b>code</b>\n```",
        level="advanced",
        language="en",
        cover_url="/v1/images/a.webp",
        price_amount=4900,
        practical=True,
    )
    assert course == catalogue.read(queries.get_course, course.id, catalogue.author)
    assert (course.title, course.slug, course.status, course.published_at) == (
        "L'été du web",
        "l-ete-du-web",
        "draft",
        None,
    )
    assert course.description == "Une **ligne** nue.\n\n```html\n<b>code</b>\n```"
    assert (course.level, course.language, course.cover_url) == ("advanced", "en", "/v1/images/a.webp")
    assert (course.price.amount, course.price.currency, course.practical, course.unlock) == (4900, "EUR", True, None)
    assert (course.lessons, course.duration_seconds, course.instructor_id) == (0, 0, catalogue.author.id)


def test_what_cannot_be_written_is_refused_and_nothing_is_kept(catalogue: Catalogue) -> None:
    fields = course_fields(title="", category="inconnue", price_amount=-1, price_currency="FRF")
    assert refused(lambda: catalogue.do(handlers.create_course, catalogue.author, fields, "Pas un slug")) == [
        ("/title", "required"),
        ("/price/amount", "too-small"),
        ("/price/currency", "unknown-currency"),
        ("/slug", "bad-slug"),
        ("/category", "unknown-category"),
    ]
    assert refused(lambda: catalogue.course(category="\0")) == [("/category", "unknown-category")]
    assert refused(lambda: catalogue.course(description="a " + "<" * 30 + "b>" * 30)) == [
        ("/description", "nested-html")
    ]
    assert catalogue.told() == []
    assert catalogue.read(queries.get_instructor_courses, catalogue.author_id).items == ()


def test_changes_touch_only_what_they_name(catalogue: Catalogue) -> None:
    course = catalogue.course(subtitle="Avant", price_amount=4900, cover_url="/a.png", unlock_streak_days=None)
    changed = catalogue.do(handlers.update_course, catalogue.author, course.id, CourseChanges(subtitle="Après"))
    assert changed.subtitle == "Après"
    assert (changed.price, changed.cover_url, changed.slug) == (course.price, "/a.png", course.slug)
    changes = CourseChanges(price=Price(0, "XOF"), unlock=UnlockRule(7), cover_url=None, title="Autre titre")
    changed = catalogue.do(handlers.update_course, catalogue.author, course.id, changes)
    assert (changed.price.amount, changed.price.currency, changed.cover_url) == (0, "XOF", None)
    assert changed.unlock is not None
    assert changed.unlock.streak_days == 7
    assert (changed.title, changed.slug, changed.subtitle) == ("Autre titre", course.slug, "Après")
    changed = catalogue.do(handlers.update_course, catalogue.author, course.id, CourseChanges(unlock=None))
    assert changed.unlock is None


def test_price_and_unlock_exclude_each_other_also_one_after_the_other(catalogue: Catalogue) -> None:
    bonus = catalogue.course(unlock_streak_days=7)
    change = CourseChanges(price=Price(100, "EUR"))
    assert refused(lambda: catalogue.do(handlers.update_course, catalogue.author, bonus.id, change)) == [
        ("/unlock", "bonus-is-not-sold")
    ]


def test_no_changes_change_and_tell_nothing(catalogue: Catalogue) -> None:
    course = catalogue.course()
    lesson = catalogue.lesson(catalogue.chapter(course))
    before = len(catalogue.told())
    full = catalogue.read(queries.get_course, course.id, catalogue.author)
    assert catalogue.do(handlers.update_course, catalogue.author, course.id, CourseChanges()) == full
    assert catalogue.do(handlers.update_lesson, catalogue.author, lesson.id, LessonChanges()) == lesson
    assert len(catalogue.told()) == before


def test_slugs_of_the_same_title_are_numbered(catalogue: Catalogue) -> None:
    assert [catalogue.course(title="Été").slug for _ in range(3)] == ["ete", "ete-2", "ete-3"]
    assert catalogue.course(title="🔥").slug == "cours"
    assert catalogue.course(title="\\_%").slug == "cours-2"


def test_an_old_slug_leads_to_the_new_one_and_stays_the_courses_own(catalogue: Catalogue) -> None:
    course = catalogue.published(slug="ancien")
    changed = catalogue.do(handlers.update_course, catalogue.author, course.id, CourseChanges(slug="nouveau"))
    assert (changed.slug, changed.moved_to) == ("nouveau", None)
    moved = catalogue.read(queries.get_course_by_slug, "ancien", Viewer())
    assert (moved.id, moved.slug, moved.moved_to) == (course.id, "nouveau", "nouveau")
    assert catalogue.read(queries.get_course_by_slug, "nouveau", Viewer()).moved_to is None
    assert refused(lambda: catalogue.course(slug="ancien")) == [("/slug", "slug-taken")]
    other = catalogue.course(title="Ancien")
    assert other.slug == "ancien-2"
    take = CourseChanges(slug="ancien")
    assert refused(lambda: catalogue.do(handlers.update_course, catalogue.author, other.id, take)) == [
        ("/slug", "slug-taken")
    ]
    assert catalogue.do(handlers.update_course, catalogue.author, course.id, take).slug == "ancien"
    assert catalogue.read(queries.get_course_by_slug, "nouveau", Viewer()).moved_to == "ancien"


def test_chapters_and_lessons_are_added_at_the_end_and_positions_close_up(catalogue: Catalogue) -> None:
    course = catalogue.course()
    one, two, three = (catalogue.chapter(course, title) for title in ("Un", "Deux", "Trois"))
    a, b, c = (catalogue.lesson(two, title=title) for title in ("a", "b", "c"))
    catalogue.do(handlers.delete_lesson, catalogue.author, a.id)
    catalogue.do(handlers.delete_chapter, catalogue.author, one.id)
    chapters = outline(catalogue, course)
    assert [(chapter.id, chapter.position) for chapter in chapters] == [(two.id, 1), (three.id, 2)]
    assert [(lesson.id, lesson.position) for lesson in chapters[0].lessons] == [(b.id, 1), (c.id, 2)]
    assert catalogue.do(handlers.update_chapter, catalogue.author, two.id, " Second ").title == "Second"
    assert titles(catalogue, course) == [("Second", ["b", "c"]), ("Trois", [])]


def test_a_lesson_keeps_its_text_and_changes_as_asked(catalogue: Catalogue) -> None:
    chapter = catalogue.chapter(catalogue.course())
    lesson = catalogue.lesson(
        chapter,
        kind="project",
        body="Un `<b>` et un <b>mot</b>",
        project_brief="Fais <i>un</i> site",
        free_preview=True,
    )
    assert (lesson.body, lesson.project_brief, lesson.video_id) == ("Un `<b>` et un mot", "Fais un site", None)
    assert refused(
        lambda: catalogue.do(handlers.update_lesson, catalogue.author, lesson.id, LessonChanges(kind="text"))
    ) == [("/project_brief", "only-for-projects")]
    changes = LessonChanges(kind="video", project_brief=None, duration_seconds=90)
    changed = catalogue.do(handlers.update_lesson, catalogue.author, lesson.id, changes)
    assert (changed.kind, changed.project_brief, changed.duration_seconds, changed.body) == (
        "video",
        None,
        90,
        lesson.body,
    )
    assert catalogue.read(queries.get_lesson, lesson.id, catalogue.author) == changed


def test_a_course_has_room_for_only_so_much(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAPTERS_PER_COURSE", 2)
    monkeypatch.setattr(limits, "LESSONS_PER_COURSE", 2)
    course = catalogue.course()
    first, second = catalogue.chapter(course), catalogue.chapter(course)
    assert answer_of(lambda: catalogue.chapter(course)) == "limit-reached"
    catalogue.lesson(first)
    catalogue.lesson(second)
    assert answer_of(lambda: catalogue.lesson(second)) == "limit-reached"


def test_an_order_moves_chapters_and_lessons(catalogue: Catalogue) -> None:
    course = catalogue.course()
    one, two = catalogue.chapter(course, "Un"), catalogue.chapter(course, "Deux")
    a, b, c = (catalogue.lesson(one, title=title) for title in ("a", "b", "c"))
    order = [OrderedChapter(two.id, (c.id, a.id)), OrderedChapter(one.id, (b.id,))]
    answer = catalogue.do(handlers.set_order, catalogue.author, course.id, order)
    assert answer == catalogue.read(queries.get_course_with_chapters, course.id, catalogue.author)
    assert titles(catalogue, course) == [("Deux", ["c", "a"]), ("Un", ["b"])]
    assert catalogue.read(queries.get_lesson, a.id, catalogue.author).chapter_id == two.id


def test_an_order_of_another_course_is_refused_and_changes_nothing(catalogue: Catalogue) -> None:
    course, other = catalogue.course(), catalogue.course()
    mine, foreign = catalogue.chapter(course, "À moi"), catalogue.chapter(other, "À un autre")
    a, b = catalogue.lesson(mine, title="a"), catalogue.lesson(foreign, title="b")
    before = len(catalogue.told())
    order = [OrderedChapter(mine.id, (b.id,)), OrderedChapter(foreign.id, ())]
    assert refused(lambda: catalogue.do(handlers.set_order, catalogue.author, course.id, order)) == [
        ("/chapters/0/lessons/0", "unknown-lesson"),
        ("/chapters/1/id", "unknown-chapter"),
        ("/chapters", "missing-lesson"),
    ]
    assert catalogue.read(queries.get_lesson, a.id, catalogue.author).chapter_id == mine.id
    assert len(catalogue.told()) == before


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_after_any_orders_and_deletions_positions_run_from_one(catalogue: Catalogue, data: st.DataObject) -> None:
    course = catalogue.course()
    for _ in range(3):
        chapter = catalogue.chapter(course)
        for _ in range(2):
            catalogue.lesson(chapter)
    for _ in range(4):
        chapters = outline(catalogue, course)
        lessons = [lesson.id for chapter in chapters for lesson in chapter.lessons]
        if data.draw(st.booleans()) and lessons:
            catalogue.do(handlers.delete_lesson, catalogue.author, data.draw(st.sampled_from(lessons)))
            continue
        places: dict[UUID, list[UUID]] = {chapter.id: [] for chapter in chapters}
        for lesson in data.draw(st.permutations(lessons)):
            places[data.draw(st.sampled_from(list(places)))].append(lesson)
        ids = data.draw(st.permutations(list(places)))
        wanted = [OrderedChapter(chapter, tuple(places[chapter])) for chapter in ids]
        catalogue.do(handlers.set_order, catalogue.author, course.id, wanted)
        assert [(c.id, tuple(lesson.id for lesson in c.lessons)) for c in outline(catalogue, course)] == [
            (chapter.id, chapter.lessons) for chapter in wanted
        ]
    final = outline(catalogue, course)
    assert [placed.position for placed in final] == [1, 2, 3]
    for placed in final:
        assert [lesson.position for lesson in placed.lessons] == list(range(1, len(placed.lessons) + 1))


def test_a_transcript_is_kept_as_written_and_as_cues(catalogue: Catalogue) -> None:
    lesson = catalogue.lesson(catalogue.chapter(catalogue.course()), kind="video", duration_seconds=10)
    assert catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT) == 2
    assert catalogue.read(queries.get_transcript, lesson.id, catalogue.author) == VTT
    with catalogue.database.single_statement() as unit_of_work:
        cues = unit_of_work.connection.exec_driver_sql("select cues from transcripts").scalar_one()
    assert cues == [
        {"start_seconds": 1.0, "end_seconds": 2.0, "text": "Bonjour"},
        {"start_seconds": 3.0, "end_seconds": 4.5, "text": "On commence"},
    ]
    assert catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, "WEBVTT\n") == 0
    assert catalogue.read(queries.get_transcript, lesson.id, catalogue.author) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("vtt", "expected"),
    [
        ("", [("/vtt", "required")]),
        ("Bonjour", [("/vtt", "bad-vtt")]),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nA\0", [("/vtt", "control-characters")]),
        ("WEBVTT\n\n" + "a" * 1_000_001, [("/vtt", "too-many-bytes")]),
        (VTT + "\n00:05,000 --> 00:06,000\nVirgule\n", [("/cues/2", "bad-cue")]),
        (VTT + "\n00:00.500 --> 00:06.000\nTard\n", [("/cues/2", "cue-out-of-order")]),
        (VTT + "\n04:30.000 --> 04:31.000\nLoin\n", [("/cues/2", "cue-past-video")]),
    ],
)
def test_a_bad_transcript_is_refused_naming_the_cue(
    catalogue: Catalogue, vtt: str, expected: list[tuple[str, str]]
) -> None:
    lesson = catalogue.lesson(catalogue.chapter(catalogue.course()), kind="video", duration_seconds=201)
    catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT)
    assert refused(lambda: catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, vtt)) == expected
    assert catalogue.read(queries.get_transcript, lesson.id, catalogue.author) == VTT


def test_a_video_cannot_become_shorter_than_its_transcript(catalogue: Catalogue) -> None:
    lesson = catalogue.lesson(catalogue.chapter(catalogue.course()), kind="video", duration_seconds=0)
    catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT)

    def shorten(seconds: int) -> object:
        changes = LessonChanges(duration_seconds=seconds)
        return catalogue.do(handlers.update_lesson, catalogue.author, lesson.id, changes)

    assert refused(lambda: shorten(3)) == [("/duration_seconds", "shorter-than-transcript")]
    assert refused(lambda: shorten(4)) == []


def test_a_text_may_have_a_longer_transcript_than_reading_takes(catalogue: Catalogue) -> None:
    lesson = catalogue.lesson(catalogue.chapter(catalogue.course()), kind="text", duration_seconds=1)
    assert catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT) == 2


def test_a_quiz_is_kept_replaced_and_told_with_its_course(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapter = catalogue.chapter(course)
    assert answer_of(lambda: catalogue.do(handlers.get_quiz, catalogue.author, chapter.id)) == "not-found"
    catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 20, QUESTIONS)
    spaced = (Question(" Et CSS ? ", (" Du style ", "Du son", "Rien"), 0),)
    quiz = catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 30, spaced)
    assert quiz == catalogue.do(handlers.get_quiz, catalogue.author, chapter.id)
    assert (quiz.time_limit_seconds, quiz.questions[0].text, quiz.questions[0].choices) == (
        30,
        "Et CSS ?",
        ("Du style", "Du son", "Rien"),
    )
    first, second = catalogue.quiz_events(chapter.id)
    assert (first.sequence, second.sequence) == (3, 4)
    assert second.event.questions[0].choices == ("Du style", "Du son", "Rien")  # type: ignore[attr-defined]
    assert outline(catalogue, course)[0].has_quiz
    assert refused(lambda: catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 1, ())) == [
        ("/time_limit_seconds", "too-small"),
        ("/questions", "too-few"),
    ]


def test_a_chapter_that_goes_takes_its_lessons_and_quiz_along(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapter = catalogue.chapter(course)
    lesson = catalogue.lesson(chapter)
    catalogue.do(handlers.set_transcript, catalogue.author, lesson.id, VTT)
    catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 20, QUESTIONS)
    catalogue.do(handlers.delete_chapter, catalogue.author, chapter.id)
    assert answer_of(lambda: catalogue.read(queries.get_lesson, lesson.id, catalogue.author)) == "not-found"
    last = catalogue.quiz_events(chapter.id)[-1]
    assert last.event.questions == ()  # type: ignore[attr-defined]
    assert last.sequence == catalogue.course_events(course.id)[-1].sequence


def test_publishing_takes_a_lesson_and_ready_videos(catalogue: Catalogue) -> None:
    course = catalogue.course()
    with pytest.raises(Conflict) as nothing:
        catalogue.do(handlers.publish_course, catalogue.author, course.id)
    assert (nothing.value.problem, nothing.value.members["missing"]) == ("not-publishable", ("no-lesson",))
    lesson = catalogue.lesson(catalogue.chapter(course), kind="video")
    uploaded = "update lessons set video_id = gen_random_uuid(), video_status = :status"
    catalogue.execute(uploaded, status="preparing")
    with pytest.raises(Conflict) as preparing:
        catalogue.do(handlers.publish_course, catalogue.author, course.id)
    assert preparing.value.members == {"missing": ("video-not-ready",), "lessons": (lesson.id,)}
    assert catalogue.read(queries.get_course, course.id, catalogue.author).status == "draft"
    catalogue.execute(uploaded, status="ready")
    published = catalogue.do(handlers.publish_course, catalogue.author, course.id)
    assert published.status == "published"
    assert published.published_at is not None


def test_the_first_publication_is_the_one_that_counts(catalogue: Catalogue) -> None:
    course = catalogue.published()
    catalogue.do(handlers.unpublish_course, catalogue.author, course.id)
    again = catalogue.do(handlers.publish_course, catalogue.author, course.id)
    assert (again.status, again.published_at) == ("published", course.published_at)


def test_a_step_already_taken_changes_and_tells_nothing(catalogue: Catalogue) -> None:
    course = catalogue.published()
    before = len(catalogue.told())
    assert catalogue.do(handlers.publish_course, catalogue.author, course.id) == course
    assert len(catalogue.told()) == before


def test_steps_that_cannot_be_taken_are_conflicts(catalogue: Catalogue) -> None:
    draft, published = catalogue.course(), catalogue.published()
    for step in (handlers.unpublish_course, handlers.archive_course):
        with pytest.raises(Conflict) as caught:
            catalogue.do(step, catalogue.author, draft.id)
        assert (caught.value.problem, caught.value.members) == ("wrong-status", {"status": "draft"})
    assert answer_of(lambda: catalogue.do(handlers.delete_course, catalogue.author, published.id)) == "wrong-status"
    catalogue.do(handlers.archive_course, catalogue.author, published.id)
    assert answer_of(lambda: catalogue.do(handlers.unpublish_course, catalogue.author, published.id)) == "wrong-status"
    assert catalogue.do(handlers.publish_course, catalogue.author, published.id).status == "published"


def test_a_published_course_never_loses_its_last_lesson(catalogue: Catalogue) -> None:
    course = catalogue.published(lessons=2)
    chapter = outline(catalogue, course)[0]
    assert answer_of(lambda: catalogue.do(handlers.delete_chapter, catalogue.author, chapter.id)) == "not-publishable"
    first, last = chapter.lessons
    catalogue.do(handlers.delete_lesson, catalogue.author, first.id)
    assert answer_of(lambda: catalogue.do(handlers.delete_lesson, catalogue.author, last.id)) == "not-publishable"
    catalogue.do(handlers.unpublish_course, catalogue.author, course.id)
    catalogue.do(handlers.delete_lesson, catalogue.author, last.id)
    assert answer_of(lambda: catalogue.do(handlers.publish_course, catalogue.author, course.id)) == "not-publishable"


def test_a_deleted_draft_leaves_a_tombstone_and_gives_its_slug_back(catalogue: Catalogue) -> None:
    course = catalogue.course(title="Été")
    chapter = catalogue.chapter(course)
    lesson = catalogue.lesson(chapter)
    catalogue.do(handlers.set_quiz, catalogue.author, chapter.id, 20, QUESTIONS)
    catalogue.do(handlers.delete_course, catalogue.author, course.id)
    for viewer in (catalogue.author, Viewer(uuid4(), "admin")):
        assert answer_of(lambda viewer=viewer: catalogue.read(queries.get_course, course.id, viewer)) == "not-found"  # type: ignore[misc]
        assert answer_of(lambda viewer=viewer: catalogue.do(handlers.delete_course, viewer, course.id)) == "not-found"  # type: ignore[misc]
    assert catalogue.read(queries.get_instructor_courses, catalogue.author_id).items == ()
    state = catalogue.read(queries.get_outline, course_id=course.id)
    assert (state.course.status, state.course.chapters, state.sequence) == ("deleted", (), 5)
    with pytest.raises(NotFound):
        catalogue.read(queries.get_outline, lesson_id=lesson.id)
    assert catalogue.quiz_events(chapter.id)[-1].event.questions == ()  # type: ignore[attr-defined]
    assert catalogue.course(title="Été").slug == "ete"


def test_categories_are_made_by_admins_and_count_what_is_published(catalogue: Catalogue) -> None:
    for role in ("student", "instructor"):
        with pytest.raises(Forbidden):
            catalogue.do(handlers.create_category, role, "design", "Design")
    catalogue.do(handlers.create_category, "admin", "design", " Design ")
    assert answer_of(lambda: catalogue.do(handlers.create_category, "admin", "design", "Autre")) == "already-exists"
    assert refused(lambda: catalogue.do(handlers.create_category, "admin", "Dé sign", "")) == [
        ("/slug", "bad-slug"),
        ("/name", "required"),
    ]
    catalogue.course()
    catalogue.published()
    found = catalogue.read(queries.get_categories)
    assert [(c.slug, c.name, c.courses) for c in found] == [
        ("design", "Design", 0),
        ("dev-web", "Développement web", 1),
    ]


def changes_of(catalogue: Catalogue) -> list[Callable[[], object]]:
    """One of each kind of change, on one course."""
    author = catalogue.author
    course = catalogue.course()
    one, two = catalogue.chapter(course), catalogue.chapter(course)
    a, b = catalogue.lesson(one), catalogue.lesson(one)
    do: Any = catalogue.do
    return [
        lambda: do(handlers.update_course, author, course.id, CourseChanges(title="Autre", slug="autre")),
        lambda: do(handlers.create_chapter, author, course.id, "Trois"),
        lambda: do(handlers.update_chapter, author, one.id, "Premier"),
        lambda: do(handlers.create_lesson, author, two.id, lesson_fields()),
        lambda: do(handlers.update_lesson, author, a.id, LessonChanges(body="Autre texte")),
        lambda: do(handlers.set_transcript, author, a.id, VTT),
        lambda: do(handlers.set_quiz, author, two.id, 20, QUESTIONS),
        lambda: do(handlers.publish_course, author, course.id),
        lambda: do(handlers.set_order, author, course.id, reversed_order(catalogue, course)),
        lambda: do(handlers.delete_lesson, author, b.id),
        lambda: do(handlers.delete_chapter, author, two.id),
        lambda: do(handlers.unpublish_course, author, course.id),
        lambda: do(handlers.archive_course, author, course.id),
    ]


def reversed_order(catalogue: Catalogue, course: Course) -> list[OrderedChapter]:
    return [
        OrderedChapter(c.id, tuple(lesson.id for lesson in c.lessons)) for c in reversed(outline(catalogue, course))
    ]


def test_every_change_tells_the_whole_state_once_under_the_next_sequence(catalogue: Catalogue) -> None:
    changes = changes_of(catalogue)
    for change in changes:
        before = [told for told in catalogue.told() if isinstance(told.event, CourseChanged)]
        change()
        after = [told for told in catalogue.told() if isinstance(told.event, CourseChanged)]
        assert len(after) == len(before) + 1
        last = after[-1]
        assert last.sequence == before[-1].sequence + 1
        assert isinstance(last.event, CourseChanged)
        state = catalogue.read(queries.get_outline, course_id=last.event.course_id)
        assert (state.sequence, state.course) == (last.sequence, last.event)
