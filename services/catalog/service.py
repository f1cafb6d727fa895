"""The catalog on the bus."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.service import Service, rpc
from contracts.errors import FieldError, Invalid
from contracts.events.accounts import Role
from contracts.events.catalog import LessonKind
from services.catalog import handlers, queries
from services.catalog.answers import (
    Category,
    Chapter,
    ChapterState,
    Course,
    CoursePage,
    CourseState,
    CourseSummary,
    Lesson,
    Outline,
    Quiz,
)
from services.catalog.commands import CourseChanges, LessonChanges, Level, OrderedChapter, Price, Question, UnlockRule
from services.catalog.domain.access import Viewer
from services.catalog.domain.courses import CourseFields, LessonFields


class CatalogService(Service):
    """Courses, their parts, and who may read and write them."""

    name = "catalog"

    @rpc
    def get_categories(self) -> dict[str, tuple[Category, ...]]:
        """All categories by name, with the number of their published courses."""
        with self.database.single_statement() as unit_of_work:
            return {"items": queries.get_categories(unit_of_work.connection)}

    @rpc
    def create_category(self, role: Role, slug: str, name: str) -> Category:
        """A new category, made by an admin."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.create_category(unit_of_work, role, slug, name)

    @rpc
    def get_published_courses(
        self,
        category: str | None = None,
        q: str | None = None,
        level: Level | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> CoursePage:
        """A page of the published courses, newest first; `q` is looked for without case and accents."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_published_courses(
                unit_of_work.connection, category=category, q=q, level=level, limit=limit, cursor=cursor
            )

    @rpc
    def get_instructor_courses(self, instructor_id: UUID, limit: int = 20, cursor: str | None = None) -> CoursePage:
        """A page of all courses of an instructor, drafts included."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_instructor_courses(unit_of_work.connection, instructor_id, limit=limit, cursor=cursor)

    @rpc
    def get_courses(
        self, course_ids: Annotated[tuple[UUID, ...], Meta(max_length=100)]
    ) -> dict[str, tuple[CourseSummary, ...]]:
        """Those of the courses that there are, for lists of what someone holds; deleted ones are left out."""
        with self.database.single_statement() as unit_of_work:
            return {"items": queries.get_courses(unit_of_work.connection, course_ids)}

    @rpc
    def get_course(
        self, course_id: UUID, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> Course:
        """A course by its id, for those who may know of it."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_course(unit_of_work.connection, course_id, Viewer(viewer_id, viewer_role, entitled))

    @rpc
    def get_course_by_slug(
        self, slug: str, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> Course:
        """A course by its slug or an old one of it; `moved_to` is then the present one."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_course_by_slug(unit_of_work.connection, slug, Viewer(viewer_id, viewer_role, entitled))

    @rpc
    def get_course_with_chapters(
        self, course_id: UUID, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> Outline:
        """The outline of a course."""
        viewer = Viewer(viewer_id, viewer_role, entitled)
        with self.database.single_statement() as unit_of_work:
            return queries.get_course_with_chapters(unit_of_work.connection, course_id, viewer)

    @rpc
    def get_chapter(
        self, chapter_id: UUID, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> Chapter:
        """A chapter with its lessons; bodies only for those who may see them."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_chapter(unit_of_work.connection, chapter_id, Viewer(viewer_id, viewer_role, entitled))

    @rpc
    def get_lesson(
        self, lesson_id: UUID, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> Lesson:
        """A whole lesson, for those who may see it."""
        with self.database.single_statement() as unit_of_work:
            return queries.get_lesson(unit_of_work.connection, lesson_id, Viewer(viewer_id, viewer_role, entitled))

    @rpc
    def get_transcript(
        self, lesson_id: UUID, viewer_id: UUID | None = None, viewer_role: Role | None = None, entitled: bool = False
    ) -> dict[str, str]:
        """A lesson's transcript as it was given, for those who may see the lesson."""
        viewer = Viewer(viewer_id, viewer_role, entitled)
        with self.database.single_statement() as unit_of_work:
            return {"vtt": queries.get_transcript(unit_of_work.connection, lesson_id, viewer)}

    @rpc
    def get_outline(self, course_id: UUID | None = None, lesson_id: UUID | None = None) -> CourseState:
        """What `catalog.course_changed.v1` last told of a course, found by its id or by one of its lessons'."""
        if (course_id is None) == (lesson_id is None):
            raise Invalid(errors=(FieldError("/course_id", "exactly-one"), FieldError("/lesson_id", "exactly-one")))
        with self.database.snapshot() as connection:
            return queries.get_outline(connection, course_id=course_id, lesson_id=lesson_id)

    @rpc
    def get_chapter_state(self, chapter_id: UUID) -> ChapterState:
        """What was last told of a chapter's course and of its quiz, answers included: for other services only."""
        with self.database.snapshot() as connection:
            return queries.get_chapter_state(connection, chapter_id)

    @rpc
    def create_course(
        self,
        author_id: UUID,
        role: Role,
        title: str,
        category: str,
        description: str = "",
        subtitle: str = "",
        level: Level = "beginner",
        language: str = "fr",
        price: Price | None = None,
        cover_url: str | None = None,
        slug: str | None = None,
        unlock: UnlockRule | None = None,
        practical: bool = False,
    ) -> Course:
        """A new draft; its slug comes from the title unless it is given."""
        price = price or Price()
        fields = CourseFields(
            title=title,
            subtitle=subtitle,
            description=description,
            category=category,
            level=level,
            language=language,
            cover_url=cover_url,
            price_amount=price.amount,
            price_currency=price.currency,
            unlock_streak_days=None if unlock is None else unlock.streak_days,
            practical=practical,
        )
        with self.database.unit_of_work() as unit_of_work:
            return handlers.create_course(unit_of_work, Viewer(author_id, role), fields, slug)

    @rpc
    def update_course(self, author_id: UUID, role: Role, course_id: UUID, changes: CourseChanges) -> Course:
        """The course with the changes made."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.update_course(unit_of_work, Viewer(author_id, role), course_id, changes)

    @rpc
    def publish_course(self, author_id: UUID, role: Role, course_id: UUID) -> Course:
        """The course for everybody to see."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.publish_course(unit_of_work, Viewer(author_id, role), course_id)

    @rpc
    def unpublish_course(self, author_id: UUID, role: Role, course_id: UUID) -> Course:
        """The course taken back from the public, but not from those who hold it."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.unpublish_course(unit_of_work, Viewer(author_id, role), course_id)

    @rpc
    def archive_course(self, author_id: UUID, role: Role, course_id: UUID) -> Course:
        """The course put aside, still open to those who hold it."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.archive_course(unit_of_work, Viewer(author_id, role), course_id)

    @rpc
    def delete_course(self, author_id: UUID, role: Role, course_id: UUID) -> None:
        """Delete a draft."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.delete_course(unit_of_work, Viewer(author_id, role), course_id)

    @rpc
    def create_chapter(self, author_id: UUID, role: Role, course_id: UUID, title: str) -> Chapter:
        """A new chapter at the end of the course."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.create_chapter(unit_of_work, Viewer(author_id, role), course_id, title)

    @rpc
    def update_chapter(self, author_id: UUID, role: Role, chapter_id: UUID, title: str) -> Chapter:
        """The chapter under another title."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.update_chapter(unit_of_work, Viewer(author_id, role), chapter_id, title)

    @rpc
    def delete_chapter(self, author_id: UUID, role: Role, chapter_id: UUID) -> None:
        """Delete a chapter with its lessons and quiz."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.delete_chapter(unit_of_work, Viewer(author_id, role), chapter_id)

    @rpc
    def create_lesson(
        self,
        author_id: UUID,
        role: Role,
        chapter_id: UUID,
        title: str,
        kind: LessonKind,
        body: str = "",
        duration_seconds: int = 0,
        free_preview: bool = False,
        project_brief: str | None = None,
    ) -> Lesson:
        """A new lesson at the end of the chapter."""
        fields = LessonFields(title, kind, body, duration_seconds, free_preview, project_brief)
        with self.database.unit_of_work() as unit_of_work:
            return handlers.create_lesson(unit_of_work, Viewer(author_id, role), chapter_id, fields)

    @rpc
    def update_lesson(self, author_id: UUID, role: Role, lesson_id: UUID, changes: LessonChanges) -> Lesson:
        """The lesson with the changes made."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.update_lesson(unit_of_work, Viewer(author_id, role), lesson_id, changes)

    @rpc
    def delete_lesson(self, author_id: UUID, role: Role, lesson_id: UUID) -> None:
        """Delete a lesson."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.delete_lesson(unit_of_work, Viewer(author_id, role), lesson_id)

    @rpc
    def set_order(self, author_id: UUID, role: Role, course_id: UUID, chapters: tuple[OrderedChapter, ...]) -> Outline:
        """The outline in the order that is given, complete and without doubles."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.set_order(unit_of_work, Viewer(author_id, role), course_id, chapters)

    @rpc
    def set_transcript(self, author_id: UUID, role: Role, lesson_id: UUID, vtt: str) -> dict[str, int]:
        """Keep a lesson's WebVTT transcript; the number of its cues."""
        with self.database.unit_of_work() as unit_of_work:
            return {"cues": handlers.set_transcript(unit_of_work, Viewer(author_id, role), lesson_id, vtt)}

    @rpc
    def set_quiz(
        self, author_id: UUID, role: Role, chapter_id: UUID, time_limit_seconds: int, questions: tuple[Question, ...]
    ) -> Quiz:
        """The chapter's quiz, in place of the one it had; the time limit is per question."""
        with self.database.unit_of_work() as unit_of_work:
            return handlers.set_quiz(unit_of_work, Viewer(author_id, role), chapter_id, time_limit_seconds, questions)

    @rpc
    def get_quiz(self, author_id: UUID, role: Role, chapter_id: UUID) -> Quiz:
        """The chapter's quiz with its answers, for its author."""
        with self.database.single_statement() as unit_of_work:
            return handlers.get_quiz(unit_of_work, Viewer(author_id, role), chapter_id)
