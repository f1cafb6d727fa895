"""Reads the demo's files into plain values; a file with a missing, unknown or mistyped entry is refused by its name."""

import tomllib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

COURSES = Path(__file__).parent / "courses"
PEOPLE = Path(__file__).parent / "people.toml"


class ContentError(Exception):
    """A content file cannot be used; the message names the file and the reason."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Money(_Entry, frozen=True):
    """An amount in the currency's smallest unit."""

    amount: int
    currency: str


class Unlock(_Entry, frozen=True):
    """What opens a bonus course."""

    streak_days: int


class Question(_Entry, frozen=True):
    """A quiz question; `answer` is the index of the right choice."""

    text: str
    choices: tuple[str, ...]
    answer: int


class Quiz(_Entry, frozen=True):
    """A chapter's quiz; the time limit is per question."""

    time_limit_seconds: int
    questions: tuple[Question, ...]


class Category(_Entry, frozen=True):
    """A category of the catalogue."""

    slug: str
    name: str


class Studies(_Entry, frozen=True):
    """What a student did in a course: per lesson, in order, how many of their own days ago it was finished."""

    course: str
    days_ago: tuple[int, ...]


class Person(_Entry, frozen=True):
    """Somebody with an account; `squad` is the name of theirs, `buys` are codes of the shop, one of each."""

    email: str
    display_name: str
    time_zone: str
    birth_year: int | None = None
    studies: tuple[Studies, ...] = ()
    squad: str | None = None
    buys: tuple[str, ...] = ()


class Squad(_Entry, frozen=True):
    """A squad with the e-mail of its captain; an official one, which the instructor makes, has none."""

    name: str
    motto: str
    captain: str | None = None


class Duel(_Entry, frozen=True):
    """A duel on a chapter's quiz between two e-mails; one by link is open to everybody, and needs no rival.

    `right` has the number of right answers of each who has played: the challenger's, then the rival's.
    """

    course: str
    chapter: str
    mode: Literal["live", "link"]
    challenger: str
    rival: str | None = None
    right: tuple[int, ...] = ()


class People(_Entry, frozen=True):
    """Everybody, but the admin, and what they play."""

    instructor: Person
    students: tuple[Person, ...]
    squads: tuple[Squad, ...] = ()
    duels: tuple[Duel, ...] = ()


class Lesson(_Entry, frozen=True):
    """A lesson with its texts."""

    title: str
    kind: Literal["video", "text", "project"]
    duration_seconds: int
    free_preview: bool
    body: str
    project_brief: str | None
    transcript: str | None


class Chapter(_Entry, frozen=True):
    """A chapter with its lessons in order."""

    title: str
    lessons: tuple[Lesson, ...]
    quiz: Quiz | None


class Course(_Entry, frozen=True):
    """A course with all that is in it; one that is not to be published stays a draft."""

    slug: str
    title: str
    subtitle: str
    description: str
    category: str
    level: Literal["beginner", "intermediate", "advanced"]
    language: str
    price: Money | None
    practical: bool
    unlock: Unlock | None
    publish: bool
    chapters: tuple[Chapter, ...]


class Catalogue(_Entry, frozen=True):
    """The categories, and the courses in the order of their publication."""

    categories: tuple[Category, ...]
    courses: tuple[Course, ...]


class _LessonFile(_Entry, frozen=True):
    file: str
    title: str
    kind: Literal["video", "text", "project"]
    duration_seconds: int
    free_preview: bool = False


class _ChapterFile(_Entry, frozen=True):
    title: str
    lessons: tuple[_LessonFile, ...]


class _CourseFile(_Entry, frozen=True):
    slug: str
    title: str
    subtitle: str
    description: str
    category: str
    level: Literal["beginner", "intermediate", "advanced"]
    language: str
    publish: bool
    chapters: tuple[str, ...]
    price: Money | None = None
    practical: bool = False
    unlock: Unlock | None = None


class _CatalogueFile(_Entry, frozen=True):
    courses: tuple[str, ...]
    categories: tuple[Category, ...]


_EntryType = TypeVar("_EntryType", bound=_Entry)


def read_catalogue(folder: Path = COURSES) -> Catalogue:
    """The categories and courses in the folder. Raises `ContentError`."""
    index = _read(folder / "catalogue.toml", _CatalogueFile)
    return Catalogue(
        categories=index.categories,
        courses=tuple(read_course(folder / name) for name in index.courses),
    )


def read_course(folder: Path) -> Course:
    """The course in the folder. Raises `ContentError`."""
    course = _read(folder / "course.toml", _CourseFile)
    return Course(
        slug=course.slug,
        title=course.title,
        subtitle=course.subtitle,
        description=course.description.strip(),
        category=course.category,
        level=course.level,
        language=course.language,
        price=course.price,
        practical=course.practical,
        unlock=course.unlock,
        publish=course.publish,
        chapters=tuple(_read_chapter(folder / name) for name in course.chapters),
    )


def read_people(path: Path = PEOPLE) -> People:
    """The people in the file. Raises `ContentError`."""
    return _read(path, People)


def _read_chapter(folder: Path) -> Chapter:
    chapter = _read(folder / "chapter.toml", _ChapterFile)
    quiz = folder / "quiz.toml"
    return Chapter(
        title=chapter.title,
        lessons=tuple(_read_lesson(folder, lesson) for lesson in chapter.lessons),
        quiz=_read(quiz, Quiz) if quiz.exists() else None,
    )


def _read_lesson(folder: Path, lesson: _LessonFile) -> Lesson:
    body = _text(folder / f"{lesson.file}.md")
    if body is None:
        raise ContentError(f"{folder / lesson.file}.md: the lesson's body is missing")
    return Lesson(
        title=lesson.title,
        kind=lesson.kind,
        duration_seconds=lesson.duration_seconds,
        free_preview=lesson.free_preview,
        body=body,
        project_brief=_text(folder / f"{lesson.file}.brief.md"),
        transcript=_text(folder / f"{lesson.file}.vtt"),
    )


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def _read(path: Path, kind: type[_EntryType]) -> _EntryType:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ContentError(f"{path}: {error}") from error
