"""Given a running academy, a student learns: over HTTP, through every service."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.academy import AcademyUnderTest
from tests.system.conftest import Course, Visitor, eventually


def test_from_registration_to_xp(
    new_student: Callable[[], Visitor], anonymous: Visitor, new_course: Callable[..., Course]
) -> None:
    course = new_course(lessons=2)
    student = new_student()
    first, last = course.lessons
    assert anonymous.get(f"/courses/{course.slug}").json()["lessons"] == 2
    assert student.get(f"/lessons/{first}").status_code == 403
    assert student.get(f"/courses/{course.id}/access").json() == {"has_access": False, "reason": "none"}

    checkout = student.post(f"/courses/{course.slug}/checkout", {})
    assert (checkout.status_code, set(checkout.json().values())) == (201, {None})
    assert student.get(f"/courses/{course.id}/access").json() == {"has_access": True, "reason": "free"}
    assert student.post(f"/courses/{course.id}/checkout", {}).json()["type"] == "/problems/already-owned"
    assert "secret" in student.get(f"/lessons/{first}").json()["body"]
    assert student.get(f"/lessons/{first}/next").json()["lesson"]["id"] == last

    done = student.done("POST", f"/lessons/{first}/complete")
    assert (done["first_time"], done["percent"], done["next_lesson_id"]) == (True, 50, last)
    again = student.done("POST", f"/lessons/{first}/complete")
    assert (again["first_time"], again["completed_at"]) == (False, done["completed_at"])
    assert student.ask("PUT", f"/lessons/{last}/position", json={"seconds": 12.5}).status_code == 204
    progress = student.get(f"/courses/{course.slug}/progress").json()
    assert (progress["completed_lessons"], progress["percent"], progress["completed_at"]) == (1, 50, None)
    assert progress["lessons"][1]["position_seconds"] == 12.5

    finished = student.done("POST", f"/lessons/{last}/complete")
    assert (finished["percent"], finished["course_completed"], finished["next_lesson_id"]) == (100, True, None)
    game = eventually(lambda: (now := student.get("/me/game").json())["xp"] == 90 and now)
    assert (game["points"], game["streak"]["current"], game["streak"]["today_done"]) == (90, 1, True)
    ledger = student.get("/me/ledger").json()["items"]
    assert sorted((row["kind"], row["xp"]) for row in ledger) == [("course", 50), ("lesson", 20), ("lesson", 20)]
    (enrollment,) = student.get("/me/enrollments").json()["items"]
    assert (enrollment["course"]["id"], enrollment["percent"], enrollment["source"]) == (course.id, 100, "free")


def test_sixteen_at_once_finish_a_lesson_once(
    new_student: Callable[[], Visitor], new_course: Callable[..., Course]
) -> None:
    course = new_course(lessons=2)
    student = new_student()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    path = f"/lessons/{course.lessons[0]}/complete"
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: student.done("POST", path), range(16)))
    assert [answer["first_time"] for answer in answers].count(True) == 1
    assert len({answer["completed_at"] for answer in answers}) == 1
    eventually(lambda: student.get("/me/game").json()["xp"] == 20)
    assert len(student.get("/me/ledger").json()["items"]) == 1


def test_what_an_author_changes_everybody_sees_soon_and_the_author_at_once(
    anonymous: Visitor, instructor: Visitor, new_student: Callable[[], Visitor], new_course: Callable[..., Course]
) -> None:
    course = new_course(lessons=2)
    student = new_student()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    for _ in range(8):
        anonymous.get(f"/courses/{course.slug}")
        student.get(f"/lessons/{course.lessons[0]}")
    instructor.done("PATCH", f"/lessons/{course.lessons[0]}", {"body": "Neuf"})
    new_slug = f"{course.slug}-neuf"
    instructor.done("PATCH", f"/courses/{course.id}", {"slug": new_slug, "title": "Neuf"})
    for _ in range(8):
        assert instructor.get(f"/courses/{new_slug}").json()["title"] == "Neuf"
        assert instructor.get(f"/lessons/{course.lessons[0]}").json()["body"] == "Neuf"
    eventually(lambda: all(anonymous.get(f"/courses/{course.id}").json()["title"] == "Neuf" for _ in range(8)), 2)
    eventually(lambda: all(student.get(f"/lessons/{course.lessons[0]}").json()["body"] == "Neuf" for _ in range(8)), 2)
    moved = anonymous.get(f"/courses/{course.slug}?ref=video")
    assert (moved.status_code, moved.headers["Location"]) == (308, f"/v1/courses/{new_slug}?ref=video")
    instructor.done("POST", f"/courses/{course.id}/unpublish")
    eventually(lambda: all(anonymous.get(f"/courses/{course.id}").status_code == 404 for _ in range(8)), 2)
    assert student.get(f"/courses/{course.id}").status_code == 200
    assert student.get(f"/lessons/{course.lessons[0]}").status_code == 200
    assert student.done("POST", f"/lessons/{course.lessons[0]}/complete")["first_time"]


def test_a_changed_name_shows_on_the_courses(
    academy: AcademyUnderTest, anonymous: Visitor, new_instructor: Callable[[], Visitor], category: str
) -> None:
    author = new_instructor()
    course = author.done("POST", "/courses", {"title": "À moi", "category": category}, 201)
    chapter = author.done("POST", f"/courses/{course['id']}/chapters", {"title": "Un"}, 201)
    author.done("POST", f"/chapters/{chapter['id']}/lessons", {"title": "Un", "kind": "text"}, 201)
    author.done("POST", f"/courses/{course['id']}/publish")
    path = f"/courses/{course['id']}"

    def names() -> set[str]:
        return {anonymous.get(path).json()["instructor"]["display_name"] for _ in range(8)}

    assert names() == {"Arsène"}
    author.done("PATCH", "/me", {"display_name": "Maître Arsène"})
    eventually(lambda: names() == {"Maître Arsène"}, 3)
