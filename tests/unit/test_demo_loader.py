"""The demo's loader against a small academy in memory, and its HTTP client against a small server."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from chassis.settings import Settings
from contracts.errors import Unavailable
from demo.academy import HttpAcademy, Refused
from demo.content import Catalogue, Duel, People, Squad, read_catalogue, read_people
from demo.loader import ADMIN_EMAIL, PASSWORD, DemoError, Loader, finished_at, load, pay

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CATALOGUE = read_catalogue()
PEOPLE = read_people()
MODES: tuple[Literal["live", "link"], ...] = ("live", "link")


class Interrupted(BaseException):
    """The loader's process ends here."""


class FakeAcademy:
    """The routes that the loader uses, in memory; it refuses what the real ones refuse."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.categories: dict[str, str] = {}
        self.courses: dict[str, dict[str, Any]] = {}
        self.chapters: dict[str, dict[str, Any]] = {}
        self.lessons: dict[str, dict[str, Any]] = {}
        self.enrolled: set[tuple[str, str]] = set()
        self.pages: dict[str, tuple[str, str]] = {}
        self.paid: list[tuple[str, str]] = []
        self.sells = True
        self.completed: dict[tuple[str, str], datetime | None] = {}
        self.done_once: dict[tuple[str | None, str, str], Any] = {}
        self.squads: dict[str, dict[str, Any]] = {}
        self.bought: list[tuple[str, str]] = []
        self.duels: dict[str, dict[str, Any]] = {}
        self.ledgers_unheard = 0
        self.calls: list[str] = []
        self.survives = -1
        self.imports_unanswered = 0

    def create_admin(self) -> None:
        self._register({"email": ADMIN_EMAIL, "password": PASSWORD, "display_name": "Admin"})
        self.users[ADMIN_EMAIL]["role"] = "admin"

    # the RPC side

    def call_rpc(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> None:
        assert (service, method, deadline) == ("progress", "import_completion", None)
        if self.imports_unanswered:
            self.imports_unanswered -= 1
            raise Unavailable
        assert set(arguments) == {"user_id", "lesson_id", "completed_at", "time_zone"}
        self._count("import_completion")
        self._complete(arguments["user_id"], arguments["lesson_id"], arguments["completed_at"])

    # the HTTP side

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        media_type: str = "application/json",
        once: bool = False,
    ) -> Any:
        path = path.partition("?")[0]
        asked = (token, path, repr(body))
        if once and asked in self.done_once:
            return self.done_once[asked]
        for (wanted, pattern), answer in self._routes().items():
            found = re.fullmatch(pattern, path)
            if wanted == method and found:
                data = body if isinstance(body, str) else msgspec.to_builtins(body)
                assert isinstance(data, str) == (media_type == "text/vtt")
                result = answer(data, token, *found.groups())
                if once:
                    self.done_once[asked] = result
                self._count(f"{method} {path}")
                return result
        raise AssertionError(f"no such route: {method} {path}")

    def _routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        return {
            ("POST", "/v1/auth/register"): lambda body, _: self._register(body),
            ("POST", "/v1/auth/login"): lambda body, _: self._log_in(body),
            ("GET", "/v1/categories"): lambda *_: {"items": [{"slug": slug} for slug in self.categories]},
            ("POST", "/v1/admin/categories"): self._add_category,
            ("POST", "/v1/admin/users/([^/]+)/role"): self._give_role,
            ("GET", "/v1/instructors/me/courses"): self._own_courses,
            ("POST", "/v1/courses"): self._add_course,
            ("GET", "/v1/courses/([^/]+)"): self._course_page,
            ("GET", "/v1/courses/([^/]+)/chapters"): self._outline,
            ("POST", "/v1/courses/([^/]+)/chapters"): self._add_chapter,
            ("POST", "/v1/chapters/([^/]+)/lessons"): self._add_lesson,
            ("GET", "/v1/lessons/([^/]+)/transcript"): self._transcript,
            ("PUT", "/v1/lessons/([^/]+)/transcript"): self._put_transcript,
            ("PUT", "/v1/chapters/([^/]+)/quiz"): self._put_quiz,
            ("PUT", "/v1/courses/([^/]+)/order"): self._put_order,
            ("POST", "/v1/courses/([^/]+)/publish"): self._publish,
            ("POST", "/v1/courses/([^/]+)/checkout"): self._check_out,
            ("GET", "/v1/courses/([^/]+)/access"): self._access,
            ("GET", "/v1/courses/([^/]+)/progress"): self._progress,
            ("POST", "/v1/lessons/([^/]+)/complete"): lambda _, token, id: self._complete(
                self._user(token)["id"], id, None
            ),
            ("POST", "/v1/squads"): self._make_squad,
            ("POST", "/v1/squads/([^/]+)/join"): self._join_squad,
            ("GET", "/v1/me/ledger"): self._ledger,
            ("POST", "/v1/shop/purchases"): self._buy,
            ("POST", "/v1/chapters/([^/]+)/duels"): self._challenge,
            ("POST", "/v1/challenges/([^/]+)/accept"): self._accept,
            ("POST", "/v1/duels/([^/]+)/question"): self._serve,
            ("POST", "/v1/duels/([^/]+)/answer"): self._answer,
        }

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self.survives:
            raise Interrupted

    def _user(self, token: str | None, role: str | None = None) -> dict[str, Any]:
        user = next((user for user in self.users.values() if user["id"] == token), None)
        if user is None:
            raise Refused(401, "unauthorized", "")
        if role is not None and user["role"] != role:
            raise Refused(403, "forbidden", "")
        return user

    def _register(self, body: dict[str, Any]) -> Any:
        if body["email"] in self.users:
            raise Refused(409, "email-taken", "")
        self.users[body["email"]] = {"id": f"user-{len(self.users)}", "role": "student", **body}
        return self._log_in(body)

    def _log_in(self, body: dict[str, Any]) -> Any:
        user = self.users.get(body["email"])
        if user is None or user["password"] != body["password"]:
            raise Refused(401, "bad-credentials", "")
        return {"user": user, "access_token": user["id"]}

    def _add_category(self, body: Any, token: str) -> None:
        self._user(token, "admin")
        assert body["slug"] not in self.categories
        self.categories[body["slug"]] = body["name"]

    def _give_role(self, body: Any, token: str, user_id: str) -> None:
        self._user(token, "admin")
        next(user for user in self.users.values() if user["id"] == user_id)["role"] = body["role"]

    def _own_courses(self, _: Any, token: str) -> Any:
        self._user(token, "instructor")
        return {"items": list(self.courses.values()), "next_cursor": None}

    def _add_course(self, body: Any, token: str) -> Any:
        self._user(token, "instructor")
        assert body["category"] in self.categories
        assert all(course["slug"] != body["slug"] for course in self.courses.values())
        course = {**body, "id": f"course-{len(self.courses)}", "status": "draft", "chapters": []}
        self.courses[course["id"]] = course
        return course

    def _course(self, name: str) -> dict[str, Any]:
        for course in self.courses.values():
            if name in (course["id"], course["slug"], course.get("old_slug")):
                return course
        raise Refused(404, "not-found", "")

    def _course_page(self, _: Any, __: str, name: str) -> Any:
        return self._course(name)

    def _outline(self, _: Any, __: str, name: str) -> Any:
        return {
            "chapters": [
                {
                    "id": id,
                    "title": self.chapters[id]["title"],
                    "has_quiz": "quiz" in self.chapters[id],
                    "lessons": [
                        {"id": each, "title": self.lessons[each]["title"]} for each in self.chapters[id]["lessons"]
                    ],
                }
                for id in self._course(name)["chapters"]
            ]
        }

    def _add_chapter(self, body: Any, token: str, name: str) -> Any:
        self._user(token, "instructor")
        chapter = {"id": f"chapter-{len(self.chapters)}", "title": body["title"], "lessons": []}
        self.chapters[chapter["id"]] = chapter
        self._course(name)["chapters"].append(chapter["id"])
        return chapter

    def _add_lesson(self, body: Any, token: str, chapter_id: str) -> Any:
        self._user(token, "instructor")
        lesson = {"id": f"lesson-{len(self.lessons)}", **body}
        self.lessons[lesson["id"]] = lesson
        self.chapters[chapter_id]["lessons"].append(lesson["id"])
        return lesson

    def _transcript(self, _: Any, __: str, lesson_id: str) -> Any:
        if "transcript" not in self.lessons[lesson_id]:
            raise Refused(404, "not-found", "")
        return self.lessons[lesson_id]["transcript"]

    def _put_transcript(self, body: str, token: str, lesson_id: str) -> Any:
        self._user(token, "instructor")
        assert body.startswith("WEBVTT")
        self.lessons[lesson_id]["transcript"] = body
        return {"cues": body.count("-->")}

    def _put_quiz(self, body: Any, token: str, chapter_id: str) -> None:
        self._user(token, "instructor")
        self.chapters[chapter_id]["quiz"] = body

    def _put_order(self, body: Any, token: str, name: str) -> None:
        self._user(token, "instructor")
        course = self._course(name)
        assert sorted(each["id"] for each in body["chapters"]) == sorted(course["chapters"])
        course["chapters"] = [each["id"] for each in body["chapters"]]
        for each in body["chapters"]:
            assert sorted(each["lessons"]) == sorted(self.chapters[each["id"]]["lessons"])
            self.chapters[each["id"]]["lessons"] = each["lessons"]

    def _publish(self, _: Any, token: str, name: str) -> None:
        self._user(token, "instructor")
        self._course(name)["status"] = "published"

    def _check_out(self, body: Any, token: str, name: str) -> Any:
        course = self._course(name)
        if course["status"] != "published":
            raise Refused(404, "not-found", "")
        key = (self._user(token)["id"], course["id"])
        if key in self.enrolled:
            raise Refused(409, "already-owned", "")
        if "price" in course:
            assert body == {"withdrawal_waiver": True}
            page = f"https://pay.example/{len(self.pages)}"
            self.pages[page] = key
            return {"checkout_url": page}
        self.enrolled.add(key)
        return {"checkout_url": None}

    def pay(self, page: str) -> bool:
        """The sandbox's page; the payment is heard of a moment later."""
        if self.sells:
            self.paid.append(self.pages[page])
        return self.sells

    def _access(self, _: Any, token: str, name: str) -> Any:
        key = (self._user(token)["id"], self._course(name)["id"])
        had = key in self.enrolled
        self.enrolled |= {one for one in self.paid if one == key}
        return {"has_access": had}

    def _progress(self, _: Any, token: str, name: str) -> Any:
        user, course = self._user(token), self._course(name)
        assert (user["id"], course["id"]) in self.enrolled
        lessons = [lesson for chapter in course["chapters"] for lesson in self.chapters[chapter]["lessons"]]
        return {
            "lessons": [
                {"id": id, "completed_at": "x" if (user["id"], id) in self.completed else None} for id in lessons
            ]
        }

    def _complete(self, user_id: str, lesson_id: str, moment: datetime | None) -> None:
        assert (user_id, lesson_id) not in self.completed, "completed twice"
        self.completed[(user_id, lesson_id)] = moment
        for squad in self.squads.values():
            squad["score"] += 20 * (moment is None and user_id in squad["members"])

    def _make_squad(self, body: Any, token: str) -> Any:
        user = self._user(token, "instructor" if body["official"] else "student")
        members = [] if body["official"] else [user["id"]]
        if any(set(members) & set(squad["members"]) for squad in self.squads.values()):
            raise Refused(409, "already-in-squad", "")
        if any(squad["name"] == body["name"] for squad in self.squads.values()):
            raise Refused(409, "name-taken", "")
        squad = {**body, "id": f"squad-{len(self.squads)}", "members": members, "score": 0}
        self.squads[squad["id"]] = squad
        return {"id": squad["id"]}

    def _join_squad(self, _: Any, token: str, squad_id: str) -> Any:
        user_id = self._user(token)["id"]
        if any(user_id in squad["members"] for squad in self.squads.values() if squad["id"] != squad_id):
            raise Refused(409, "already-in-squad", "")
        if user_id not in self.squads[squad_id]["members"]:
            self.squads[squad_id]["members"].append(user_id)
        return {"id": squad_id}

    def _lessons_heard(self, user_id: str) -> int:
        return 0 if self.ledgers_unheard else sum(one == user_id for one, _ in self.completed)

    def _ledger(self, _: Any, token: str) -> Any:
        heard = self._lessons_heard(self._user(token)["id"])
        self.ledgers_unheard = max(0, self.ledgers_unheard - 1)
        return {"items": [{"kind": "course"}, *[{"kind": "lesson"}] * heard], "next_cursor": None}

    def _buy(self, body: Any, token: str) -> Any:
        user_id = self._user(token)["id"]
        if 20 * self._lessons_heard(user_id) < 100:
            raise Refused(409, "not-enough-points", "")
        self.bought.append((user_id, body["item"]))
        return body

    def _challenge(self, body: Any, token: str, chapter_id: str) -> Any:
        user = self._user(token)
        assert (body["mode"] == "live") == ("opponent_id" in body)
        players = [user["id"], *([body["opponent_id"]] if "opponent_id" in body else [])]
        return self._new_duel(chapter_id, players, f"token-{len(self.duels)}" if body["mode"] == "link" else None)

    def _accept(self, _: Any, token: str, challenge: str) -> Any:
        user_id = self._user(token)["id"]
        (shared,) = (duel for duel in self.duels.values() if duel["token"] == challenge and len(duel["players"]) == 1)
        assert self._is_over(shared, shared["players"][0]), "nobody can see a challenge before its score"
        players = [*shared["players"], user_id]
        known = (duel for duel in self.duels.values() if (duel["token"], duel["players"]) == (challenge, players))
        found = next(known, None) or self._new_duel(shared["chapter"], players, challenge)
        self.duels[found["id"]]["right"] |= shared["right"]
        return found

    def _new_duel(self, chapter_id: str, players: list[str], token: str | None) -> Any:
        duel: dict[str, Any] = {"id": f"duel-{len(self.duels)}", "chapter": chapter_id, "players": players}
        duel |= {"token": token, "share_url": token and f"https://tanka.example/challenges/{token}"}
        self.duels[duel["id"]] = duel | {"right": {player: [] for player in players}}
        return duel

    def _is_over(self, duel: dict[str, Any], player: str) -> bool:
        return len(duel["right"][player]) == len(self.chapters[duel["chapter"]]["quiz"]["questions"])

    def _serve(self, _: Any, token: str, duel_id: str) -> Any:
        duel, player = self.duels[duel_id], self._user(token)["id"]
        if self._is_over(duel, player):
            raise Refused(409, "run-over", "")
        index = len(duel["right"][player])
        question = self.chapters[duel["chapter"]]["quiz"]["questions"][index]
        return {"index": index, "text": question["text"], "choices": question["choices"]}

    def _answer(self, body: Any, token: str, duel_id: str) -> None:
        duel, player = self.duels[duel_id], self._user(token)["id"]
        assert body["index"] == len(duel["right"][player])
        question = self.chapters[duel["chapter"]]["quiz"]["questions"][body["index"]]
        assert 0 <= body["choice"] < len(question["choices"])
        duel["right"][player].append(body["choice"] == question["answer"])

    def state(self) -> Any:
        """All that is in the academy, comparable between runs."""
        return (
            self.users,
            self.categories,
            self.courses,
            self.chapters,
            self.lessons,
            self.enrolled,
            self.completed,
            self.squads,
            self.bought,
            self.duels,
        )


class _Rpc:
    def __init__(self, academy: FakeAcademy) -> None:
        self.call = academy.call_rpc


def run(academy: FakeAcademy, catalogue: Catalogue = CATALOGUE, people: People = PEOPLE) -> list[str]:
    """Load the demo; the lines shown."""
    lines: list[str] = []
    show: Callable[[str, bool], None] = lambda text, line: lines.append(text) if line else None  # noqa: E731
    Loader(academy, _Rpc(academy), academy.create_admin, academy.pay, show, NOW).load(catalogue, people)
    return lines


def small() -> tuple[Catalogue, People]:
    """Two courses, one of them a draft, and two students who play: enough to be interrupted everywhere."""
    courses = [
        course for course in CATALOGUE.courses if course.slug in ("apprendre-a-apprendre", "robot-suiveur-de-ligne")
    ]
    students = [
        msgspec.structs.replace(
            student,
            studies=tuple(each for each in student.studies if each.course == "apprendre-a-apprendre"),
            squad="Les Deux",
            buys=("streak_freeze",) if student.email == "ines@tanka.example" else (),
        )
        for student in PEOPLE.students
        if student.email in ("ines@tanka.example", "noe@tanka.example")
    ]
    return (
        msgspec.structs.replace(CATALOGUE, courses=tuple(courses)),
        msgspec.structs.replace(
            PEOPLE,
            students=tuple(students),
            squads=(Squad("Les Deux", "À deux", "ines@tanka.example"), Squad("Team Robot", "Bip")),
            duels=tuple(
                Duel(courses[1].slug, chapter.title, mode, "ines@tanka.example", "noe@tanka.example", (2, 1))
                for chapter, mode in zip(courses[1].chapters, MODES, strict=True)
            ),
        ),
    )


def test_one_run_enters_every_course_with_its_texts_and_every_student_with_a_history() -> None:
    academy = FakeAcademy()
    run(academy)
    by_slug = {course["slug"]: course for course in academy.courses.values()}
    for course in CATALOGUE.courses:
        entered = by_slug[course.slug]
        assert entered["status"] == ("published" if course.publish else "draft")
        chapters = [academy.chapters[id] for id in entered["chapters"]]
        assert [chapter["title"] for chapter in chapters] == [chapter.title for chapter in course.chapters]
        for chapter, written in zip(chapters, course.chapters, strict=True):
            assert chapter["quiz"] == msgspec.to_builtins(written.quiz)
            lessons = [academy.lessons[id] for id in chapter["lessons"]]
            assert [lesson["body"] for lesson in lessons] == [lesson.body for lesson in written.lessons]
            assert [lesson.get("transcript") for lesson in lessons] == [lesson.transcript for lesson in written.lessons]
            assert [lesson.get("project_brief") for lesson in lessons] == [
                each.project_brief for each in written.lessons
            ]
    assert by_slug["affiche-ton-monde"]["price"] == {"amount": 4900, "currency": "EUR"}
    assert by_slug["passage-secret-mini-jeu"]["unlock"] == {"streak_days": 7}
    assert len(academy.completed) == sum(len(each.days_ago) for person in PEOPLE.students for each in person.studies)
    assert academy.users["ber@tanka.example"]["role"] == "student"
    assert academy.users["arsene@tanka.example"]["role"] == "instructor"
    assert academy.users[ADMIN_EMAIL]["role"] == "admin"


def test_squads_are_joined_before_what_is_learned_today_so_that_all_of_them_have_a_score() -> None:
    academy = FakeAcademy()
    run(academy)
    squads = {squad["name"]: squad for squad in academy.squads.values()}
    assert set(squads) == {squad.name for squad in PEOPLE.squads}
    for squad in PEOPLE.squads:
        made = squads[squad.name]
        named = {academy.users[one.email]["id"] for one in PEOPLE.students if one.squad == squad.name}
        assert (made["motto"], made["official"], set(made["members"])) == (squad.motto, squad.captain is None, named)
        assert squad.captain is None or made["members"][0] == academy.users[squad.captain]["id"]
        assert made["score"] > 0


def answered(academy: FakeAcademy, challenger: str, rival: str | None) -> list[list[bool]]:
    """What the players of the duel between these two have answered, right or wrong."""
    players = [academy.users[email]["id"] for email in (challenger, rival) if email is not None]
    (right,) = (duel["right"] for duel in academy.duels.values() if duel["players"] == players)
    return [right[player] for player in players]


def test_duels_are_played_as_far_as_the_file_says_and_two_wait_for_ber() -> None:
    academy = FakeAcademy()
    run(academy)
    for duel in PEOPLE.duels:
        runs = answered(academy, duel.challenger, duel.rival)
        assert [sum(right) for right in runs if right] == list(duel.right)
    waiting = [runs for duel in PEOPLE.duels if (runs := answered(academy, duel.challenger, duel.rival))[-1] == []]
    assert len(waiting) == 2
    assert all(duel.rival == "ber@tanka.example" for duel in PEOPLE.duels if len(duel.right) < 2)


def test_the_loader_tells_where_everybody_may_play() -> None:
    academy = FakeAcademy()
    challenge = Loader(academy, _Rpc(academy), academy.create_admin, academy.pay, lambda *_: None, NOW)
    address = challenge.load(CATALOGUE, PEOPLE)
    (shared,) = (duel for duel in academy.duels.values() if duel["token"] and len(duel["players"]) == 1)
    assert address == shared["share_url"]
    assert challenge.load(CATALOGUE, PEOPLE) == address
    without = msgspec.structs.replace(PEOPLE, duels=())
    assert challenge.load(CATALOGUE, without) is None


def test_points_that_are_still_on_their_way_are_waited_for_and_missed_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    academy = FakeAcademy()
    academy.ledgers_unheard = 2
    run(academy)
    assert [item for _, item in academy.bought] == ["streak_freeze"]

    monkeypatch.setattr("demo.loader.POINTS_PATIENCE", 0.0)
    academy.ledgers_unheard = 100
    with pytest.raises(DemoError, match=r"What .* earned has not arrived"):
        run(academy)


def test_who_has_left_for_another_squad_stays_there() -> None:
    academy = FakeAcademy()
    run(academy)
    ber = academy.users["ber@tanka.example"]["id"]
    home, other = (squad for squad in academy.squads.values() if not squad["official"])
    home["members"].remove(ber)
    other["members"].append(ber)
    assert "Ber: left alone" in run(academy)
    assert ber in other["members"]
    assert ber not in home["members"]


def test_a_name_that_is_taken_and_a_chapter_with_another_title_are_left_alone() -> None:
    academy = FakeAcademy()
    run(academy, people=msgspec.structs.replace(PEOPLE, squads=(), duels=()))
    (taken, _, *_) = PEOPLE.squads
    academy.squads["theirs"] = {"id": "theirs", "name": taken.name, "members": [], "official": False, "score": 0}
    for chapter in academy.chapters.values():
        chapter["title"] += " (nouveau)"
    lines = run(academy)
    assert f"{taken.name}: left alone" in lines
    assert academy.squads["theirs"]["members"] == []
    assert not academy.duels


def test_a_quiz_that_was_changed_is_played_all_the_same() -> None:
    academy = FakeAcademy()
    run(academy, people=msgspec.structs.replace(PEOPLE, duels=()))
    for chapter in academy.chapters.values():
        chapter["quiz"]["questions"] = [{"text": "Qui ?", "choices": ["Toi", "Moi"], "answer": 1}]
    run(academy)
    assert len(academy.duels) == len(PEOPLE.duels) + 1
    assert answered(academy, "fatou@tanka.example", "mamadou@tanka.example") == [[False], [False]]


def test_the_programming_course_is_published_last_so_that_it_comes_first() -> None:
    academy = FakeAcademy()
    run(academy)
    published = [call for call in academy.calls if call.endswith("/publish")]
    dev_web = next(course for course in academy.courses.values() if course["category"] == "dev-web")
    assert published[-1] == f"POST /v1/courses/{dev_web['id']}/publish"


def test_a_second_run_changes_nothing() -> None:
    academy = FakeAcademy()
    run(academy)
    before = msgspec.json.encode(repr(academy.state()))
    academy.calls.clear()
    run(academy)
    assert msgspec.json.encode(repr(academy.state())) == before
    assert not [
        call for call in academy.calls if call.startswith("PUT") or call.endswith(("/complete", "import_completion"))
    ]


def test_an_interruption_after_any_call_is_made_good_by_the_next_run() -> None:
    catalogue, people = small()
    clean = FakeAcademy()
    run(clean, catalogue, people)
    assert len(clean.calls) > 40
    for survives in range(1, len(clean.calls)):
        academy = FakeAcademy()
        academy.survives = survives
        with pytest.raises(Interrupted):
            run(academy, catalogue, people)
        academy.survives = -1
        run(academy, catalogue, people)
        assert academy.state() == clean.state(), f"interrupted after {clean.calls[survives - 1]}"


def test_what_the_instructor_has_changed_in_a_published_course_stays_changed() -> None:
    academy = FakeAcademy()
    run(academy)
    course = next(course for course in academy.courses.values() if course["status"] == "published")
    course.update(old_slug=course["slug"], slug="un-autre-nom", title="Un autre nom")
    academy.chapters[course["chapters"][0]]["title"] = "Un autre chapitre"
    before = len(academy.courses), len(academy.chapters), len(academy.lessons)
    run(academy)
    assert (len(academy.courses), len(academy.chapters), len(academy.lessons)) == before


def test_a_lesson_that_the_instructor_added_to_a_draft_keeps_its_place_at_the_end() -> None:
    catalogue, people = small()
    academy = FakeAcademy()
    academy.survives = next(n for n in range(1, 1000) if _calls_until_a_draft_has_lessons(n, catalogue, people))
    with pytest.raises(Interrupted):
        run(academy, catalogue, people)
    academy.survives = -1
    chapter = next(iter(academy.chapters.values()))
    academy.lessons["mine"] = {"id": "mine", "title": "La mienne"}
    chapter["lessons"].append("mine")
    run(academy, catalogue, people)
    titles = [academy.lessons[id]["title"] for id in chapter["lessons"]]
    written = [lesson.title for lesson in catalogue.courses[0].chapters[0].lessons]
    assert titles == [*written, "La mienne"]


def _calls_until_a_draft_has_lessons(calls: int, catalogue: Catalogue, people: People) -> bool:
    academy = FakeAcademy()
    academy.survives = calls
    with pytest.raises(Interrupted):
        run(academy, catalogue, people)
    return len(academy.lessons) == 1


def test_a_category_that_is_missing_is_added() -> None:
    academy = FakeAcademy()
    run(academy)
    del academy.categories["design"]
    run(academy)
    assert academy.categories["design"] == "Design et création"


def test_a_student_with_another_password_by_now_is_left_alone() -> None:
    academy = FakeAcademy()
    academy.call("POST", "/v1/auth/register", {"email": "ber@tanka.example", "password": "mine", "display_name": "B"})
    lines = run(academy)
    assert "Ber has another password by now: left alone" in lines
    assert academy.users["ber@tanka.example"]["password"] == "mine"


def test_an_instructor_with_another_password_stops_the_demo_with_a_reason() -> None:
    academy = FakeAcademy()
    academy.call(
        "POST", "/v1/auth/register", {"email": "arsene@tanka.example", "password": "mine", "display_name": "A"}
    )
    with pytest.raises(DemoError, match="another password"):
        run(academy)


def test_an_admin_with_another_password_stops_the_demo_with_a_reason() -> None:
    academy = FakeAcademy()
    academy.call("POST", "/v1/auth/register", {"email": ADMIN_EMAIL, "password": "mine", "display_name": "A"})
    with pytest.raises(DemoError, match=f"{ADMIN_EMAIL} exists with another password"):
        Loader(academy, _Rpc(academy), lambda: None, academy.pay, lambda *_: None, NOW).load(CATALOGUE, PEOPLE)


def test_a_progress_service_that_is_silent_for_a_moment_is_asked_again() -> None:
    academy = FakeAcademy()
    academy.imports_unanswered = 2
    run(academy)
    assert len(academy.completed) == sum(len(each.days_ago) for person in PEOPLE.students for each in person.studies)


def test_what_is_for_sale_is_paid_for_once_and_left_out_where_that_costs_real_money() -> None:
    academy = FakeAcademy()
    run(academy)
    for_sale = {course.slug for course in CATALOGUE.courses if course.price is not None}
    buyers = [person for person in PEOPLE.students if any(each.course in for_sale for each in person.studies)]
    assert len(academy.paid) == len(set(academy.paid)) == len(buyers) > 0
    run(academy)
    assert len(academy.paid) == len(buyers)

    real = FakeAcademy()
    real.sells = False
    run(real)
    assert not real.paid
    assert len(real.enrolled) == len(academy.enrolled) - len(buyers)


def test_only_a_page_of_the_sandbox_is_paid_on() -> None:
    assert not pay("https://checkout.stripe.com/c/pay/cs_test_1", "https://api.stripe.com")
    assert not pay("http://127.0.0.1:9999/pay/cs_test_1", "http://127.0.0.1:999")
    with pytest.raises(ConnectionRefusedError):
        pay("http://127.0.0.1:1/pay/cs_test_1", "http://127.0.0.1:1")


def test_production_takes_no_demo_data() -> None:
    with pytest.raises(DemoError, match="Production"):
        load("http://127.0.0.1:1", Settings(environment="production"))


def test_history_lies_in_the_afternoons_of_the_students_own_past_days() -> None:
    moments = finished_at((2, 1, 1, 0), ZoneInfo("Pacific/Tahiti"), NOW)
    assert moments == [
        datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
        datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
        datetime(2026, 11, 22, 3, 25, tzinfo=UTC),
        None,
    ]


JSON = {"Content-Type": "application/json"}


class _Server(BaseHTTPRequestHandler):
    """Answers from `script`, a list of (status, headers, body); keeps what it was asked in `asked`."""

    protocol_version = "HTTP/1.1"
    script: list[tuple[int, dict[str, str], bytes]]
    asked: list[tuple[str, str, dict[str, str], bytes, object]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers), body, self.client_address))
        status, headers, answer = self.script.pop(0)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[HttpAcademy, type[_Server]]]:
    handler = type("Handler", (_Server,), {"script": [], "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        academy = HttpAcademy(f"http://127.0.0.1:{listening.server_port}")
        yield academy, handler
        academy.close()
        listening.shutdown()
        thread.join()


def test_calls_share_one_connection(server: tuple[HttpAcademy, type[_Server]]) -> None:
    academy, handler = server
    handler.script += [(200, JSON, b'{"a": 1}'), (204, {}, b"")]
    assert academy.call("GET", "/v1/one", token="t") == {"a": 1}
    assert academy.call("PUT", "/v1/two", "WEBVTT é", media_type="text/vtt") is None
    first, second = handler.asked
    assert first[2]["Authorization"] == "Bearer t"
    assert (second[2]["Content-Type"], second[3]) == ("text/vtt", "WEBVTT é".encode())
    assert first[4] == second[4]


def test_what_is_not_json_comes_as_text(server: tuple[HttpAcademy, type[_Server]]) -> None:
    academy, handler = server
    handler.script += [(200, {"Content-Type": "text/vtt; charset=utf-8"}, "WEBVTT é".encode())]
    assert academy.call("GET", "/v1/lessons/x/transcript") == "WEBVTT é"


def test_a_problem_is_raised_with_its_slug(server: tuple[HttpAcademy, type[_Server]]) -> None:
    academy, handler = server
    handler.script += [(409, {}, b'{"type": "/problems/already-owned", "detail": "You own it."}')]
    with pytest.raises(Refused, match="You own it") as refused:
        academy.call("POST", "/v1/x", {})
    assert (refused.value.status, refused.value.problem) == (409, "already-owned")


def test_what_cannot_be_answered_now_is_asked_again_under_the_same_idempotency_key(
    server: tuple[HttpAcademy, type[_Server]],
) -> None:
    academy, handler = server
    soon = {"Retry-After": "0"}
    running = b'{"type": "/problems/request-in-progress"}'
    handler.script += [(0, {}, b""), (503, soon, b"{}"), (429, soon, b"{}"), (409, soon, running), (201, JSON, b"{}")]
    assert academy.call("POST", "/v1/x", {"b": 2}) == {}
    assert len(handler.asked) == 5
    assert len({headers["Idempotency-Key"] for _, _, headers, _, _ in handler.asked}) == 1
    assert {body for _, _, _, body, _ in handler.asked} == {b'{"b":2}'}


def test_what_is_to_happen_once_has_the_same_key_in_every_run(server: tuple[HttpAcademy, type[_Server]]) -> None:
    academy, handler = server
    handler.script += [(201, JSON, b"{}")] * 6
    for body in ({"name": "É"}, {"name": "É"}, {"name": "È"}):
        academy.call("POST", "/v1/x", body, once=True)
    academy.call("POST", "/v1/y", {"name": "É"}, once=True)
    academy.call("POST", "/v1/x", {"name": "É"})
    academy.call("POST", "/v1/x", {"name": "É"})
    same, again, other, elsewhere, *others = (headers["Idempotency-Key"] for _, _, headers, _, _ in handler.asked)
    assert same == again == str(uuid.uuid5(uuid.NAMESPACE_URL, '/v1/x {"name":"É"}'))
    assert len({same, other, elsewhere, *others}) == 5


def test_a_renamed_course_is_found_by_its_old_slug(server: tuple[HttpAcademy, type[_Server]]) -> None:
    academy, handler = server
    handler.script += [(308, {"Location": "/v1/courses/new"}, b""), (200, JSON, b'{"slug": "new"}')]
    assert academy.call("GET", "/v1/courses/old") == {"slug": "new"}
    assert [path for _, path, _, _, _ in handler.asked] == ["/v1/courses/old", "/v1/courses/new"]
