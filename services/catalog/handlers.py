"""The catalog's use cases.

Each change of a course locks its row, makes its version one larger, and tells its whole state under that version, so
changes of one course follow one another and its events never lie about their order.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from chassis.clock import now
from chassis.database import UnitOfWork
from contracts.errors import Conflict, Forbidden, NotFound
from contracts.events.catalog import QuizChanged, QuizQuestion
from services.catalog import formats, queries
from services.catalog.answers import Category, Chapter, Course, Lesson, Outline, Quiz
from services.catalog.commands import CourseChanges, LessonChanges, OrderedChapter, Question, given
from services.catalog.domain import courses as course_rules
from services.catalog.domain.access import WRITING_ROLES, Authorship, Viewer, authorship
from services.catalog.domain.courses import CourseFields, LessonFields
from services.catalog.domain.cues import FILE_BYTES, check_cues, ends_inside
from services.catalog.domain.order import ChapterOrder, check_order
from services.catalog.domain.publication import LessonState, Step, missing_to_publish, next_status, videos_not_ready
from services.catalog.domain.quizzes import Question as QuestionRule
from services.catalog.domain.quizzes import check_quiz
from services.catalog.domain.refusals import Refusal, check_text
from services.catalog.domain.seo import excerpt
from services.catalog.domain.slugs import candidates, check_slug, is_slug
from services.catalog.errors import refuse
from services.catalog.tables import categories, chapters, course_slugs, courses, lessons, quizzes, transcripts


def create_category(unit_of_work: UnitOfWork, role: str, slug: str, name: str) -> Category:
    """A new category, made by an admin. Raises `Conflict` when the slug is in use."""
    if role != "admin":
        raise Forbidden
    name = name.strip()
    refuse(*course_rules.check_category(slug, name))
    made = unit_of_work.connection.execute(
        postgresql.insert(categories).values(slug=slug, name=name).on_conflict_do_nothing().returning(categories.c.slug)
    ).one_or_none()
    if made is None:
        raise Conflict("already-exists")
    return Category(slug, name)


def create_course(unit_of_work: UnitOfWork, author: Viewer, fields: CourseFields, slug: str | None = None) -> Course:
    """A new draft of the author's. Its slug comes from the title unless one is given."""
    _require_writer(author)
    course_id, at = uuid4(), now()
    texts = _course_texts(unit_of_work, fields, check_slug("/slug", slug) if slug is not None else ())
    if slug is None:
        slug = _reserve_free_slug(unit_of_work, formats.slug_of(fields.title), course_id)
    else:
        _reserve_slug(unit_of_work, slug, course_id)
    unit_of_work.connection.execute(
        insert(courses).values(
            id=course_id,
            instructor_id=author.id,
            slug=slug,
            status="draft",
            version=0,
            created_at=at,
            updated_at=at,
            **texts,
        )
    )
    _tell_course(unit_of_work, course_id, at)
    return queries.get_course(unit_of_work.connection, course_id, author)


def update_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, changes: CourseChanges) -> Course:
    """The course with the changes made. An old slug stays the course's own and leads to the new one."""
    course = _lock_course(unit_of_work, author, course_id)
    wanted = given(changes)
    if wanted:
        slug = wanted.pop("slug", course.slug)
        if "price" in wanted:
            price = wanted.pop("price")
            wanted |= {"price_amount": price.amount, "price_currency": price.currency}
        if "unlock" in wanted:
            unlock = wanted.pop("unlock")
            wanted["unlock_streak_days"] = None if unlock is None else unlock.streak_days
        fields = replace(CourseFields(**_columns(course, CourseFields)), **wanted)
        texts = _course_texts(unit_of_work, fields, check_slug("/slug", slug) if slug != course.slug else ())
        if slug != course.slug:
            _reserve_slug(unit_of_work, slug, course_id)
        unit_of_work.connection.execute(update(courses).where(courses.c.id == course_id).values(slug=slug, **texts))
        _tell_course(unit_of_work, course_id, now())
    return queries.get_course(unit_of_work.connection, course_id, author)


def publish_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID) -> Course:
    """The course for everybody to see. Raises `Conflict("not-publishable")` with what is missing."""
    return _step(unit_of_work, author, course_id, "publish")


def unpublish_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID) -> Course:
    """The course taken back from the public; who holds it keeps it."""
    return _step(unit_of_work, author, course_id, "unpublish")


def archive_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID) -> Course:
    """The course put aside for good; its pages stay open to those who hold it."""
    return _step(unit_of_work, author, course_id, "archive")


def delete_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID) -> None:
    """Delete a draft: its tombstone stays, its slugs are free again. Raises `Conflict` for what was published once."""
    course = _lock_course(unit_of_work, author, course_id)
    if next_status(course.status, "delete") is None:
        raise Conflict("wrong-status", members={"status": course.status})
    connection = unit_of_work.connection
    quiz_chapters = connection.execute(
        select(quizzes.c.chapter_id)
        .join(chapters)
        .where(chapters.c.course_id == course_id)
        .order_by(quizzes.c.chapter_id)
    ).scalars()
    for chapter_id in quiz_chapters.all():
        _tell_quiz_gone(unit_of_work, course, chapter_id)
    connection.execute(delete(chapters).where(chapters.c.course_id == course_id))
    connection.execute(update(courses).where(courses.c.id == course_id).values(status="deleted", slug=None))
    connection.execute(delete(course_slugs).where(course_slugs.c.course_id == course_id))
    _tell_course(unit_of_work, course_id, now())


def create_chapter(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, title: str) -> Chapter:
    """A new chapter at the end of the course."""
    _lock_course(unit_of_work, author, course_id)
    title = title.strip()
    refuse(*course_rules.check_chapter(title))
    position = _room(unit_of_work, chapters, course_id, course_rules.CHAPTERS_PER_COURSE)
    chapter_id = uuid4()
    unit_of_work.connection.execute(
        insert(chapters).values(id=chapter_id, course_id=course_id, title=title, position=position)
    )
    return _told_chapter(unit_of_work, author, course_id, chapter_id)


def update_chapter(unit_of_work: UnitOfWork, author: Viewer, chapter_id: UUID, title: str) -> Chapter:
    """The chapter under another title."""
    chapter, _ = _lock_part(unit_of_work, author, chapters, chapter_id)
    title = title.strip()
    refuse(*course_rules.check_chapter(title))
    unit_of_work.connection.execute(update(chapters).where(chapters.c.id == chapter_id).values(title=title))
    return _told_chapter(unit_of_work, author, chapter.course_id, chapter_id)


def delete_chapter(unit_of_work: UnitOfWork, author: Viewer, chapter_id: UUID) -> None:
    """Delete the chapter with its lessons and quiz. Raises `Conflict` when a published course would be empty."""
    chapter, course = _lock_part(unit_of_work, author, chapters, chapter_id)
    _keep_a_lesson(unit_of_work, course, lessons.c.chapter_id != chapter_id)
    connection = unit_of_work.connection
    if connection.execute(select(quizzes.c.chapter_id).where(quizzes.c.chapter_id == chapter_id)).first():
        _tell_quiz_gone(unit_of_work, course, chapter_id)
    connection.execute(delete(chapters).where(chapters.c.id == chapter_id))
    connection.execute(
        update(chapters)
        .where(chapters.c.course_id == course.id, chapters.c.position > chapter.position)
        .values(position=chapters.c.position - 1)
    )
    _tell_course(unit_of_work, course.id, now())


def create_lesson(unit_of_work: UnitOfWork, author: Viewer, chapter_id: UUID, fields: LessonFields) -> Lesson:
    """A new lesson at the end of the chapter."""
    _, course = _lock_part(unit_of_work, author, chapters, chapter_id)
    texts = _lesson_texts(fields)
    _room(unit_of_work, lessons, course.id, course_rules.LESSONS_PER_COURSE)
    lesson_id = uuid4()
    last = select(func.coalesce(func.max(lessons.c.position), 0)).where(lessons.c.chapter_id == chapter_id)
    unit_of_work.connection.execute(
        insert(lessons).values(
            id=lesson_id,
            course_id=course.id,
            chapter_id=chapter_id,
            position=last.scalar_subquery() + 1,
            **texts,
        )
    )
    _tell_course(unit_of_work, course.id, now())
    return queries.get_lesson(unit_of_work.connection, lesson_id, author)


def update_lesson(unit_of_work: UnitOfWork, author: Viewer, lesson_id: UUID, changes: LessonChanges) -> Lesson:
    """The lesson with the changes made. Raises `Invalid` when its transcript would reach past its video."""
    lesson, course = _lock_part(unit_of_work, author, lessons, lesson_id)
    wanted = given(changes)
    if wanted:
        fields = replace(LessonFields(**_columns(lesson, LessonFields)), **wanted)
        texts = _lesson_texts(fields)
        _keep_cues_inside(unit_of_work, lesson_id, fields)
        unit_of_work.connection.execute(update(lessons).where(lessons.c.id == lesson_id).values(**texts))
        _tell_course(unit_of_work, course.id, now())
    return queries.get_lesson(unit_of_work.connection, lesson_id, author)


def delete_lesson(unit_of_work: UnitOfWork, author: Viewer, lesson_id: UUID) -> None:
    """Delete the lesson. Raises `Conflict` when it is the last one of a published course."""
    lesson, course = _lock_part(unit_of_work, author, lessons, lesson_id)
    _keep_a_lesson(unit_of_work, course, lessons.c.id != lesson_id)
    connection = unit_of_work.connection
    connection.execute(delete(lessons).where(lessons.c.id == lesson_id))
    connection.execute(
        update(lessons)
        .where(lessons.c.chapter_id == lesson.chapter_id, lessons.c.position > lesson.position)
        .values(position=lessons.c.position - 1)
    )
    _tell_course(unit_of_work, course.id, now())


def set_order(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, wanted: Sequence[OrderedChapter]) -> Outline:
    """The course's chapters and lessons in the wanted order, which names each of them once."""
    _lock_course(unit_of_work, author, course_id)
    connection = unit_of_work.connection
    present = [
        ChapterOrder(chapter.id, tuple(lesson.id for lesson in chapter.lessons))
        for chapter in queries.get_course_with_chapters(connection, course_id, author).chapters
    ]
    refuse(*check_order(present, [ChapterOrder(chapter.id, chapter.lessons) for chapter in wanted]))
    chapter_rows = [{"item": chapter.id, "place": place} for place, chapter in enumerate(wanted, start=1)]
    lesson_rows = [
        {"item": lesson, "chapter": chapter.id, "place": place}
        for chapter in wanted
        for place, lesson in enumerate(chapter.lessons, start=1)
    ]
    if chapter_rows:
        connection.execute(
            update(chapters).where(chapters.c.id == bindparam("item")).values(position=bindparam("place")), chapter_rows
        )
    if lesson_rows:
        connection.execute(
            update(lessons)
            .where(lessons.c.id == bindparam("item"))
            .values(chapter_id=bindparam("chapter"), position=bindparam("place")),
            lesson_rows,
        )
    _tell_course(unit_of_work, course_id, now())
    return queries.get_course_with_chapters(connection, course_id, author)


def set_transcript(unit_of_work: UnitOfWork, author: Viewer, lesson_id: UUID, vtt: str) -> int:
    """Keep the transcript of a lesson; the number of its cues. Raises `Invalid` naming the cue that is wrong."""
    lesson, course = _lock_part(unit_of_work, author, lessons, lesson_id)
    refuse(*check_text("/vtt", vtt, FILE_BYTES, required=True))
    try:
        cues = formats.parse_vtt(vtt)
    except formats.BadVttError as error:
        refusal = Refusal("/vtt", "bad-vtt")
        if error.cue is not None:
            refusal = Refusal(f"/cues/{error.cue - 1}", "bad-cue", {"cue": error.cue})
        refuse(refusal)
        raise
    refuse(*check_cues(cues, _video_seconds(lesson.kind, lesson.duration_seconds)))
    values = {"vtt": vtt, "cues": [asdict(cue) for cue in cues]}
    unit_of_work.connection.execute(
        postgresql.insert(transcripts)
        .values(lesson_id=lesson_id, **values)
        .on_conflict_do_update(index_elements=[transcripts.c.lesson_id], set_=values)
    )
    _tell_course(unit_of_work, course.id, now())
    return len(cues)


def set_quiz(
    unit_of_work: UnitOfWork, author: Viewer, chapter_id: UUID, time_limit_seconds: int, questions: Sequence[Question]
) -> Quiz:
    """The chapter's quiz, in place of the one it had."""
    _, course = _lock_part(unit_of_work, author, chapters, chapter_id)
    rules = [QuestionRule(q.text.strip(), tuple(choice.strip() for choice in q.choices), q.answer) for q in questions]
    refuse(*check_quiz(time_limit_seconds, rules))
    values = {"time_limit_seconds": time_limit_seconds, "questions": [asdict(rule) for rule in rules]}
    unit_of_work.connection.execute(
        postgresql.insert(quizzes)
        .values(chapter_id=chapter_id, **values)
        .on_conflict_do_update(index_elements=[quizzes.c.chapter_id], set_=values)
    )
    unit_of_work.tell(
        QuizChanged(
            chapter_id=chapter_id,
            course_id=course.id,
            time_limit_seconds=time_limit_seconds,
            questions=tuple(QuizQuestion(rule.text, rule.choices, rule.answer) for rule in rules),
        ),
        sequence=course.version + 1,
    )
    _tell_course(unit_of_work, course.id, now())
    return queries.get_quiz(unit_of_work.connection, chapter_id)


def get_quiz(unit_of_work: UnitOfWork, author: Viewer, chapter_id: UUID) -> Quiz:
    """The chapter's quiz with its answers, for its author. Raises `NotFound` when it has none."""
    _authored(unit_of_work, author, _course_of(unit_of_work, author, chapters, chapter_id))
    return queries.get_quiz(unit_of_work.connection, chapter_id)


def _columns(row: Row[Any], kind: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__dataclass_fields__}


def _require_writer(author: Viewer) -> None:
    """Raise `Forbidden` before anything is looked up, so that nobody learns from the answer what exists."""
    if author.role not in WRITING_ROLES:
        raise Forbidden


def _course_of(unit_of_work: UnitOfWork, author: Viewer, table: Table, item_id: UUID) -> UUID:
    """The course of a chapter or lesson. Raises `Forbidden` or `NotFound`."""
    _require_writer(author)
    course_id: UUID | None = unit_of_work.connection.execute(
        select(table.c.course_id).where(table.c.id == item_id)
    ).scalar_one_or_none()
    if course_id is None:
        raise NotFound
    return course_id


def _authored(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, *, lock: bool = False) -> Row[Any]:
    """The course, if the author may change it. Raises `Forbidden` or `NotFound`."""
    _require_writer(author)
    found = select(courses).where(courses.c.id == course_id)
    course = unit_of_work.connection.execute(found.with_for_update(key_share=True) if lock else found).one_or_none()
    if course is None:
        raise NotFound
    match authorship(course.status, course.instructor_id, author):
        case Authorship.FORBIDDEN:
            raise Forbidden
        case Authorship.UNKNOWN:
            raise NotFound
    return course


def _lock_course(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID) -> Row[Any]:
    """The course, locked until the unit of work ends. Raises `Forbidden` or `NotFound`."""
    return _authored(unit_of_work, author, course_id, lock=True)


def _lock_part(unit_of_work: UnitOfWork, author: Viewer, table: Table, item_id: UUID) -> tuple[Row[Any], Row[Any]]:
    """A chapter or lesson and its course, which is locked. Raises `Forbidden` or `NotFound`."""
    course = _lock_course(unit_of_work, author, _course_of(unit_of_work, author, table, item_id))
    # It may have gone while the lock was waited for.
    item = unit_of_work.connection.execute(select(table).where(table.c.id == item_id)).one_or_none()
    if item is None:
        raise NotFound
    return item, course


def _tell_course(unit_of_work: UnitOfWork, course_id: UUID, at: datetime) -> None:
    """Make the course's version one larger and tell its whole state under it; once for each change."""
    row = unit_of_work.connection.execute(
        update(courses)
        .where(courses.c.id == course_id)
        .values(version=courses.c.version + 1, updated_at=at)
        .returning(courses)
    ).one()
    unit_of_work.tell(queries.course_changed(unit_of_work.connection, row), sequence=row.version)


def _tell_quiz_gone(unit_of_work: UnitOfWork, course: Row[Any], chapter_id: UUID) -> None:
    """Tell that the chapter has no quiz any more. The course's version is the sequence of its quizzes' events too."""
    unit_of_work.tell(
        QuizChanged(chapter_id=chapter_id, course_id=course.id, time_limit_seconds=0), sequence=course.version + 1
    )


def _told_chapter(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, chapter_id: UUID) -> Chapter:
    _tell_course(unit_of_work, course_id, now())
    return queries.get_chapter(unit_of_work.connection, chapter_id, author)


def _step(unit_of_work: UnitOfWork, author: Viewer, course_id: UUID, step: Step) -> Course:
    """The course one step further; unchanged, and nothing told, when it is there already."""
    course = _lock_course(unit_of_work, author, course_id)
    status = next_status(course.status, step)
    if status is None:
        raise Conflict("wrong-status", members={"status": course.status})
    if status != course.status:
        at = now()
        values: dict[str, Any] = {"status": status}
        if step == "publish":
            _require_publishable(unit_of_work, course_id)
            values["published_at"] = course.published_at or at
        unit_of_work.connection.execute(update(courses).where(courses.c.id == course_id).values(**values))
        _tell_course(unit_of_work, course_id, at)
    return queries.get_course(unit_of_work.connection, course_id, author)


def _require_publishable(unit_of_work: UnitOfWork, course_id: UUID) -> None:
    rows = unit_of_work.connection.execute(
        select(lessons.c.id, lessons.c.kind, lessons.c.video_status).where(lessons.c.course_id == course_id)
    )
    states = [LessonState(*row) for row in rows]
    missing = missing_to_publish(states)
    if missing:
        raise Conflict("not-publishable", members={"missing": missing, "lessons": videos_not_ready(states)})


def _keep_a_lesson(unit_of_work: UnitOfWork, course: Row[Any], left: Any) -> None:
    """Raise `Conflict` when the course is published and no lesson is left."""
    if course.status != "published":
        return
    found = select(lessons.c.id).where(lessons.c.course_id == course.id, left).limit(1)
    if unit_of_work.connection.execute(found).first() is None:
        raise Conflict("not-publishable", members={"missing": ("no-lesson",), "lessons": ()})


def _room(unit_of_work: UnitOfWork, table: Table, course_id: UUID, most: int) -> int:
    """The number of one more chapter or lesson in the course. Raises `Conflict` when it is full."""
    number: int = unit_of_work.connection.execute(
        select(func.count()).select_from(table).where(table.c.course_id == course_id)
    ).scalar_one()
    if number >= most:
        raise Conflict("limit-reached", members={"maximum": most})
    return number + 1


def _reserve_slug(unit_of_work: UnitOfWork, slug: str, course_id: UUID) -> None:
    """Make the slug the course's own. Raises `Invalid` when another course has or had it."""
    made = unit_of_work.connection.execute(
        postgresql.insert(course_slugs)
        .values(slug=slug, course_id=course_id)
        .on_conflict_do_update(index_elements=[course_slugs.c.slug], set_={"slug": course_slugs.c.slug})
        .returning(course_slugs.c.course_id)
    ).scalar_one()
    if made != course_id:
        refuse(Refusal("/slug", "slug-taken"))


def _reserve_free_slug(unit_of_work: UnitOfWork, base: str, course_id: UUID) -> str:
    """Make the first free slug the course's own; who loses a race for one takes the next."""
    first = next(candidates(base, ()))
    found = select(course_slugs.c.slug).where(course_slugs.c.slug.startswith(first[:40]))
    taken = frozenset(unit_of_work.connection.execute(found).scalars())
    for slug in candidates(base, taken):
        made = unit_of_work.connection.execute(
            postgresql.insert(course_slugs)
            .values(slug=slug, course_id=course_id)
            .on_conflict_do_nothing()
            .returning(course_slugs.c.slug)
        ).one_or_none()
        if made is not None:
            return slug
    raise AssertionError("there is always a next candidate")


def _course_texts(unit_of_work: UnitOfWork, fields: CourseFields, refusals: tuple[Refusal, ...]) -> dict[str, Any]:
    """The columns of the course's fields, tidied. Raises `Invalid` for what may not be written, `refusals` included."""
    fields = replace(fields, title=fields.title.strip(), subtitle=fields.subtitle.strip())
    refusals = course_rules.check_course(fields, formats.currencies()) + refusals
    known = select(categories.c.slug).where(categories.c.slug == fields.category)
    if not is_slug(fields.category) or unit_of_work.connection.execute(known).first() is None:
        refusals += (Refusal("/category", "unknown-category"),)
    refuse(*refusals)
    description = _without_html("/description", fields.description)
    words = formats.plain_text(description)
    return asdict(replace(fields, description=description)) | {
        "excerpt": excerpt(words),
        "search": formats.searchable(f"{fields.title} {fields.subtitle} {words}"),
    }


def _lesson_texts(fields: LessonFields) -> dict[str, Any]:
    """The columns of the lesson's fields, tidied. Raises `Invalid` for what may not be written."""
    fields = replace(fields, title=fields.title.strip())
    refuse(*course_rules.check_lesson(fields))
    brief = fields.project_brief
    return asdict(fields) | {
        "body": _without_html("/body", fields.body),
        "project_brief": None if brief is None else _without_html("/project_brief", brief),
    }


def _without_html(pointer: str, text: str) -> str:
    try:
        return formats.drop_html(text)
    except formats.NestedHtmlError:
        refuse(Refusal(pointer, "nested-html"))
        raise


def _video_seconds(kind: str, duration_seconds: int) -> int | None:
    return duration_seconds if kind == "video" and duration_seconds else None


def _keep_cues_inside(unit_of_work: UnitOfWork, lesson_id: UUID, fields: LessonFields) -> None:
    """Raise `Invalid` when a cue of the lesson's transcript would end after its video."""
    seconds = _video_seconds(fields.kind, fields.duration_seconds)
    if seconds is None:
        return
    cues = unit_of_work.connection.execute(
        select(transcripts.c.cues).where(transcripts.c.lesson_id == lesson_id)
    ).scalar_one_or_none()
    if cues and not ends_inside(max(cue["end_seconds"] for cue in cues), seconds):
        refuse(Refusal("/duration_seconds", "shorter-than-transcript"))
