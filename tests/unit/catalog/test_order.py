"""The order of chapters and lessons."""

from collections.abc import Callable
from random import Random
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.order import ChapterOrder, check_order

courses = st.lists(st.integers(0, 4), max_size=5).map(
    lambda sizes: [ChapterOrder(uuid4(), tuple(uuid4() for _ in range(size))) for size in sizes]
)
orders = st.tuples(courses, st.randoms(use_true_random=False))


def codes(present: list[ChapterOrder], wanted: list[ChapterOrder]) -> list[tuple[str, str]]:
    return [(refusal.pointer, refusal.code) for refusal in check_order(present, wanted)]


def shuffled(course: list[ChapterOrder], random: Random) -> list[ChapterOrder]:
    """The course in another order, its lessons spread over its chapters at random."""
    lessons = [lesson for chapter in course for lesson in chapter.lessons]
    random.shuffle(lessons)
    chapters = [chapter.id for chapter in course]
    random.shuffle(chapters)
    places: dict[UUID, list[UUID]] = {chapter: [] for chapter in chapters}
    for lesson in lessons:
        places[random.choice(chapters)].append(lesson)
    return [ChapterOrder(chapter, tuple(places[chapter])) for chapter in chapters]


@given(orders)
def test_every_complete_order_is_accepted_also_when_lessons_change_chapters(
    course: tuple[list[ChapterOrder], Random],
) -> None:
    present, random = course
    assert check_order(present, shuffled(present, random)) == ()


@given(orders, st.sampled_from(["lose", "double", "foreign"]))
def test_an_order_that_loses_doubles_or_invents_a_lesson_is_refused(
    course: tuple[list[ChapterOrder], Random], damage: str
) -> None:
    present, random = course
    wanted = shuffled(present, random)
    full = [index for index, chapter in enumerate(wanted) if chapter.lessons]
    if not full:
        return
    index = random.choice(full)
    chapter = wanted[index]
    change: dict[str, Callable[[], tuple[UUID, ...]]] = {
        "lose": lambda: chapter.lessons[1:],
        "double": lambda: (*chapter.lessons, chapter.lessons[0]),
        "foreign": lambda: (*chapter.lessons, uuid4()),
    }
    wanted[index] = ChapterOrder(chapter.id, change[damage]())
    last = len(chapter.lessons)
    assert (
        codes(present, wanted)
        == {
            "lose": [("/chapters", "missing-lesson")],
            "double": [(f"/chapters/{index}/lessons/{last}", "named-twice")],
            "foreign": [(f"/chapters/{index}/lessons/{last}", "unknown-lesson")],
        }[damage]
    )


def test_each_wrong_chapter_is_named_where_it_stands() -> None:
    first, second = ChapterOrder(uuid4(), ()), ChapterOrder(uuid4(), ())
    stranger = ChapterOrder(uuid4(), ())
    assert codes([first, second], [first, first, stranger]) == [
        ("/chapters/1/id", "named-twice"),
        ("/chapters/2/id", "unknown-chapter"),
        ("/chapters", "missing-chapter"),
    ]
