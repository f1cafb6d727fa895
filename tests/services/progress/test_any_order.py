"""Whatever order things happen and are heard in, once all is heard every student is where they should be."""

from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import NotFound, Unavailable
from tests.services.progress.academy import Academy, course, lesson, lessons_of, with_lessons

PLACES = 4

steps = st.lists(
    st.one_of(
        st.tuples(st.just("finish"), st.integers(0, PLACES - 1), st.integers(0, 1)),
        st.tuples(st.sampled_from(["delete", "add"]), st.integers(0, PLACES - 1), st.just(0)),
        st.tuples(st.just("hear"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("settle"), st.just(0), st.just(0)),
        st.tuples(st.just("silence"), st.integers(0, 1), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, data=st.data())
def test_once_everything_is_heard_progress_is_what_truly_happened(
    academy: Academy, steps: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    academy.catalog.silent = False
    places = {place: lesson() for place in range(PLACES)}
    published = academy.publish(course(*places.values()))
    history = [(published, 1)]
    students = [academy.student_of(published) for _ in range(2)]
    finished: list[set[UUID]] = [set(), set()]

    for step, number, who in steps:
        if step == "finish" and number in places:
            try:
                academy.complete(students[who], places[number].id)
                finished[who].add(places[number].id)
            except (NotFound, Unavailable):
                assert academy.catalog.silent
        elif (step == "delete" and number in places) or (step == "add" and number not in places):
            places = (
                {place: one for place, one in places.items() if place != number}
                if step == "delete"
                else dict(sorted((places | {number: lesson()}).items()))
            )
            changed = academy.publish(with_lessons(published, *places.values()), heard=False)
            history.append((changed, len(history) + 1))
        elif step == "hear":
            academy.hear(history[number % len(history)])
        elif step == "settle":
            academy.settle()
        elif step == "silence":
            academy.catalog.silent = bool(number)

    academy.catalog.silent = False
    for event in data.draw(st.permutations(history)):
        academy.hear(event)
    academy.settle()

    present = lessons_of(history[-1][0])
    for student, theirs in zip(students, finished, strict=True):
        done = theirs & set(present)
        progress = academy.progress(student, published)
        assert [one.id for one in progress.lessons] == [str(one) for one in present]
        assert (progress.completed_lessons, progress.total_lessons) == (len(done), len(present))
        assert academy.counter(student, published) == len(done)
        completions = [event.user_id for event in academy.courses_told()].count(student)
        assert completions == (progress.completed_at is not None)
        assert completions == 1 or not present or done != set(present)
        assert sorted(event.lesson_id for event in academy.lessons_told() if event.user_id == student) == sorted(theirs)
