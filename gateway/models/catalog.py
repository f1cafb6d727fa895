"""The catalog on the wire. Limits mirror the catalog's own; it counts long texts in bytes, here it is characters."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Line, Out, Page

Level = Literal["beginner", "intermediate", "advanced"]
LessonKind = Literal["video", "text", "project"]
CourseStatus = Literal["draft", "published", "unpublished", "archived"]

Title = Annotated[Line, Field(min_length=1, max_length=200)]
Subtitle = Annotated[Line, Field(max_length=300)]
Description = Annotated[str, Field(max_length=50_000)]
Body = Annotated[str, Field(max_length=200_000)]
ProjectBrief = Annotated[str, Field(max_length=20_000)]
Slug = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$", max_length=6)]
Url = Annotated[Line, Field(min_length=1, max_length=2000)]
Seconds = Annotated[int, Field(ge=0, le=24 * 3600)]


class Money(In):
    """An amount in the smallest unit of an ISO 4217 currency."""

    amount: int = Field(ge=0, le=100_000_000)
    currency: str = Field(pattern=r"^[A-Z]{3}$", min_length=3, max_length=3)


class Unlock(In):
    """What opens a bonus course: a streak of so many days."""

    streak_days: int = Field(ge=1, le=365)


class CourseQuery(Page):
    """Which published courses are asked for; `q` is looked for in the texts, whatever the case and accents."""

    category: Slug | None = None
    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    level: Level | None = None


class NewCategory(In):
    """A category to be made."""

    slug: Slug
    name: Annotated[Line, Field(min_length=1, max_length=100)]


class NewCourse(In):
    """A course to be made, as a draft."""

    title: Title
    category: Slug
    description: Description = ""
    subtitle: Subtitle = ""
    level: Level = "beginner"
    language: Language = "fr"
    price: Money = Money(amount=0, currency="EUR")
    cover_url: Url | None = None
    slug: Slug | None = None
    unlock: Unlock | None = None
    practical: bool = False


class CourseChanges(In):
    """What is to be changed in a course; what is not named stays."""

    title: Title = Field(default_factory=str)
    category: Slug = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    subtitle: Subtitle = Field(default_factory=str)
    level: Level = Field(default_factory=lambda: "beginner")
    language: Language = Field(default_factory=str)
    price: Money = Field(default_factory=lambda: Money(amount=0, currency="EUR"))
    cover_url: Url | None = None
    slug: Slug = Field(default_factory=str)
    unlock: Unlock | None = None
    practical: bool = Field(default_factory=bool)


class ChapterText(In):
    """What an author writes into a chapter."""

    title: Title


class NewLesson(In):
    """A lesson to be made."""

    title: Title
    kind: LessonKind
    body: Body = ""
    duration_seconds: Seconds = 0
    free_preview: bool = False
    project_brief: ProjectBrief | None = None


class LessonChanges(In):
    """What is to be changed in a lesson; what is not named stays."""

    title: Title = Field(default_factory=str)
    kind: LessonKind = Field(default_factory=lambda: "text")
    body: Body = Field(default_factory=str)
    duration_seconds: Seconds = Field(default_factory=int)
    free_preview: bool = Field(default_factory=bool)
    project_brief: ProjectBrief | None = None


class ChapterOrder(In):
    """A chapter and its lessons in their order."""

    id: UUID
    lessons: Annotated[list[UUID], Field(max_length=500)]


class Order(In):
    """The whole order of a course, each chapter and lesson once."""

    chapters: Annotated[list[ChapterOrder], Field(max_length=100)]


class Question(In):
    """A question of a quiz; `answer` is the index of the right choice."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    choices: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=2, max_length=6)]
    answer: int = Field(ge=0, le=5)


class QuizText(In):
    """A chapter's quiz; the time limit is in seconds per question."""

    time_limit_seconds: int = Field(ge=5, le=300)
    questions: Annotated[list[Question], Field(min_length=1, max_length=50)]


class MoneyOut(Out):
    """An amount in the smallest unit of an ISO 4217 currency."""

    amount: int
    currency: str


class UnlockOut(Out):
    """What opens a bonus course: a streak of so many days."""

    streak_days: int


class Instructor(Out):
    """Who made a course, as everybody may know them."""

    id: UUID
    display_name: str
    avatar_url: str | None
    bio: str | None


class CategoryOut(Out):
    """A category and how many published courses it has."""

    slug: str
    name: str
    courses: int = 0


class Categories(Out):
    """All categories."""

    items: list[CategoryOut]
    next_cursor: str | None = None


class CourseSummary(Out):
    """A course in a list."""

    id: UUID
    slug: str
    title: str
    subtitle: str
    category: str
    level: Level
    language: str
    cover_url: str | None
    price: MoneyOut
    instructor: Instructor
    lessons: int
    duration_seconds: int
    published_at: datetime | None
    status: CourseStatus
    practical: bool
    unlock: UnlockOut | None


class Courses(Out):
    """A page of courses."""

    items: list[CourseSummary]
    next_cursor: str | None


class Seo(Out):
    """What search engines and link previews are told; `canonical` is a path, `json_ld` a schema.org Course."""

    title: str
    description: str
    canonical: str
    image: str | None
    json_ld: dict[str, Any]


class Course(CourseSummary):
    """A course on its own page."""

    description: str
    seo: Seo


class FullCourses(Out):
    """A page of an instructor's courses."""

    items: list[Course]
    next_cursor: str | None


class LessonInOutline(Out):
    """A lesson in an outline."""

    id: UUID
    title: str
    position: int
    kind: LessonKind
    duration_seconds: int
    free_preview: bool


class ChapterInOutline(Out):
    """A chapter in an outline."""

    id: UUID
    title: str
    position: int
    has_quiz: bool
    lessons: list[LessonInOutline]


class Outline(Out):
    """A course's chapters and lessons in their order."""

    course_id: UUID
    chapters: list[ChapterInOutline]


class LessonInChapter(LessonInOutline):
    """A lesson of a chapter; `body` and `video_id` are null for those without access."""

    body: str | None = None
    video_id: UUID | None = None


class Chapter(Out):
    """A chapter with its lessons."""

    id: UUID
    course_id: UUID
    title: str
    position: int
    has_quiz: bool
    lessons: list[LessonInChapter]


class Lesson(Out):
    """A lesson with its content."""

    id: UUID
    chapter_id: UUID
    course_id: UUID
    title: str
    kind: LessonKind
    body: str
    video_id: UUID | None
    duration_seconds: int
    free_preview: bool
    project_brief: str | None


class Cues(Out):
    """How many cues a transcript has."""

    cues: int


class QuestionOut(Out):
    """A question of a quiz; `answer` is the index of the right choice."""

    text: str
    choices: list[str]
    answer: int


class Quiz(Out):
    """A chapter's quiz; the time limit is in seconds per question."""

    time_limit_seconds: int
    questions: list[QuestionOut]
