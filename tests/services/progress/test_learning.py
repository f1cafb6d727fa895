"""A student enrolls, opens, finishes; what is refused, and to whom."""

from tests.services.progress.academy import Academy, course, lesson


def test_a_student_enrolls_opens_and_finishes_a_lesson(academy: Academy) -> None:
    first, second = lesson("Un"), lesson("Deux")
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)

    opened = academy.open(ber, first.id)
    done = academy.complete(ber, first.id)

    assert (opened.course_id, opened.access) == (published.course_id, "free")
    assert (done.first_time, done.percent, done.next_lesson_id) == (True, 50, str(second.id))
    assert done.course_completed is False
    [event] = academy.lessons_told()
    assert (event.user_id, event.lesson_id, event.course_id) == (ber, first.id, published.course_id)
    assert (event.completed_at, event.time_zone, event.access, event.hasty) == (
        done.completed_at,
        "Europe/Paris",
        "free",
        False,
    )
    assert academy.catalog.calls == []
