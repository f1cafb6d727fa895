"""Given a student who learns, badges show, and everybody sees them under the name that everybody may see."""

from collections.abc import Callable

import httpx

from tests.system.conftest import Course, Visitor, eventually, register


def test_a_first_lesson_shows_on_the_public_profile_until_the_student_opts_out(
    client: httpx.Client, anonymous: Visitor, admin: Visitor, new_course: Callable[..., Course]
) -> None:
    student = register(client, display_name="Inès Benali", birth_year=1999)
    course = new_course(lessons=1)
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    student.done("POST", f"/lessons/{course.lessons[0]}/complete")

    badges = eventually(lambda: len(found := student.done("GET", "/me/game")["badges"]) == 2 and found)

    assert {badge["name"] for badge in badges} == {"Premiers pas", "Cours terminé"}
    path = f"/students/{student.account['id']}"
    profile = anonymous.done("GET", path)
    assert (profile["display_name"], profile["level"]["number"], profile["squad"]) == ("Inès Benali", 1, None)
    assert profile["badges"] == badges

    item = {"kind": "student", "id": student.account["id"]}
    student.done("POST", "/reports", item | {"reason": "Ce n’est pas son nom"}, 202)
    admin.done("POST", "/admin/hidden", item, 201)
    # the process that hid it knows at once, the other as soon as it hears of it
    eventually(lambda: all(anonymous.done("GET", path)["display_name"] != "Inès Benali" for _ in range(20)))

    student.done("PATCH", "/me/game", {"leaderboard_opt_out": True})
    assert anonymous.get(path).status_code == 404
