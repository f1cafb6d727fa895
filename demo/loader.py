"""Enters the demo into a running academy as people would: over HTTP, step by step, adding only what is missing.

One thing cannot be done that way: having learned yesterday. For that the progress service offers operators
`import_completion`, which it refuses in production. Nobody can have been in a squad yesterday: squads are joined first,
and what is learned today counts for them.
"""

import http.client
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chassis import clock
from chassis.rpc_client import Caller, RpcClient
from chassis.settings import Settings
from contracts.errors import ServiceError, Unavailable
from demo.academy import Academy, Account, HttpAcademy, Refused
from demo.content import (
    Catalogue,
    Chapter,
    ContentError,
    Course,
    Duel,
    Lesson,
    People,
    Person,
    Studies,
    read_catalogue,
    read_people,
)
from demo.game import Game
from gateway.commands import create_admin

PASSWORD = "tanka-azerty"  # noqa: S105 the demo's own, printed at start
ADMIN_EMAIL = "admin@tanka.example"
BEGINS_AT_HOUR = 17
MINUTES_PER_LESSON = 25
RPC_SECONDS = 5.0
RPC_ATTEMPTS = 10
PAID_PATIENCE = 20.0
POINTS_PATIENCE = 20.0


class DemoError(Exception):
    """The demo could not be loaded; the message says why. Loading again goes on from there."""


def load(base_url: str, settings: Settings) -> str | None:
    """Load the demo into the academy at the base URL. Loading it again adds what is missing and changes nothing else.

    The answer is the address of a challenge that is open to everybody, if there is one. Shows its progress. Raises
    `DemoError`, also in production, which takes no demo data.
    """
    if settings.environment == "production":
        raise DemoError("Production takes no demo data.")
    academy = HttpAcademy(base_url)
    rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=RPC_SECONDS)
    try:
        catalogue, people = read_catalogue(), read_people()
        with _shown(_steps(catalogue, people)) as show:
            return Loader(
                academy,
                rpc,
                lambda: create_admin(settings.database_url_for("accounts"), ADMIN_EMAIL, PASSWORD),
                lambda page: pay(page, settings.stripe_api_base),
                show,
                clock.now(),
            ).load(catalogue, people)
    except (ContentError, ServiceError, Refused, OSError) as error:
        raise DemoError(f"The demo is not complete: {error}") from error
    finally:
        rpc.stop()
        academy.close()


@dataclass(frozen=True)
class Entered:
    """A course that is in the academy: the ids of its lessons in order, and of its chapters by their titles."""

    lessons: list[str]
    chapters: dict[str, str]


@dataclass(frozen=True)
class Loader:
    """Loads a catalogue and people; `show` hears of each step, and whether it deserves a line of its own.

    `pay` pays on a payment page; False where that would cost real money.
    """

    academy: Academy
    rpc: Caller
    create_admin: Callable[[], object]
    pay: Callable[[str], bool]
    show: Callable[[str, bool], None]
    now: datetime

    def load(self, catalogue: Catalogue, people: People) -> str | None:
        """Add what is missing; the address of a challenge that is open to everybody, if there is one.

        Raises `Refused`, `ServiceError`, `DemoError`, or `OSError` when nobody answers.
        """
        instructor = self._instructor(catalogue, people.instructor)
        owned = {course["slug"]: course for course in self._list("/v1/instructors/me/courses", instructor.token)}
        entered: dict[str, Entered] = {}
        for course in catalogue.courses:
            self.show(course.title, True)
            found = owned.get(course.slug) or self._under_another_slug(course, instructor.token)
            entered[course.slug] = self._course(course, found, instructor.token)
        accounts = self._accounts(people.students)
        students = [person for person in people.students if person.email in accounts]
        game = Game(self.academy, accounts, self.show)
        for squad in people.squads:
            game.make_squad(squad, instructor, [person for person in students if person.squad == squad.name])
        finished = {person.email: self._studied(person, accounts[person.email], entered) for person in students}
        spenders = {player for duel in people.duels for player in (duel.challenger, duel.rival)}
        for person in students:
            if person.buys or person.email in spenders:
                self._await_points(person, accounts[person.email], finished[person.email])
            game.buy(person)
        addresses = [self._played(game, duel, catalogue, entered) for duel in people.duels]
        return next(filter(None, addresses), None)

    def _instructor(self, catalogue: Catalogue, person: Person) -> Account:
        self.show(person.display_name, True)
        instructor = self._account(person)
        if instructor is None:
            raise DemoError(f"{person.email} exists with another password than the demo's.")
        known = {category["slug"] for category in self.academy.call("GET", "/v1/categories")["items"]}
        missing = [category for category in catalogue.categories if category.slug not in known]
        if instructor.role == "instructor" and not missing:
            return instructor
        admin = self._admin()
        for category in missing:
            body = {"slug": category.slug, "name": category.name}
            self.academy.call("POST", "/v1/admin/categories", body, token=admin.token)
        if instructor.role != "instructor":
            path = f"/v1/admin/users/{instructor.id}/role"
            self.academy.call("POST", path, {"role": "instructor"}, token=admin.token)
        return instructor

    def _admin(self) -> Account:
        admin = self._log_in(ADMIN_EMAIL)
        if admin is None:
            self.create_admin()
            admin = self._log_in(ADMIN_EMAIL)
        if admin is None:
            raise DemoError(f"{ADMIN_EMAIL} exists with another password than the demo's.")
        return admin

    def _account(self, person: Person) -> Account | None:
        """The person's account, registered if need be; None when it has another password by now."""
        body: dict[str, Any] = {
            "email": person.email,
            "password": PASSWORD,
            "display_name": person.display_name,
            "time_zone": person.time_zone,
            "locale": "fr",
        }
        if person.birth_year is not None:
            body["birth_year"] = person.birth_year
        try:
            return _account_of(self.academy.call("POST", "/v1/auth/register", body))
        except Refused as refused:
            if refused.status != 409:
                raise
        return self._log_in(person.email)

    def _log_in(self, email: str) -> Account | None:
        """The account; None when there is none with the demo's password."""
        try:
            return _account_of(self.academy.call("POST", "/v1/auth/login", {"email": email, "password": PASSWORD}))
        except Refused as refused:
            if refused.problem != "bad-credentials":
                raise
            return None

    def _under_another_slug(self, course: Course, token: str) -> Any:
        """The course if its author has renamed its slug since, else None."""
        try:
            return self.academy.call("GET", f"/v1/courses/{course.slug}", token=token)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def _course(self, course: Course, found: Any, token: str) -> Entered:
        """Complete the course unless it is out of its author's hands already."""
        if found is None:
            found = self.academy.call("POST", "/v1/courses", _course_body(course), token=token)
            outline: list[Any] = []
        else:
            outline = self.academy.call("GET", f"/v1/courses/{found['id']}/chapters", token=token)["chapters"]
        if found["status"] == "draft":
            outline = self._chapters(course, found["id"], outline, token)
            if course.publish:
                self.academy.call("POST", f"/v1/courses/{found['id']}/publish", token=token)
        return Entered(
            lessons=[lesson["id"] for chapter in outline for lesson in chapter["lessons"]],
            chapters={chapter["title"]: chapter["id"] for chapter in outline},
        )

    def _chapters(self, course: Course, course_id: str, outline: list[Any], token: str) -> list[Any]:
        """Add the chapters and lessons that are missing; the whole outline, in the order of the files."""
        by_title = {chapter["title"]: chapter for chapter in outline}
        complete = True
        ordered: list[Any] = []
        for chapter in course.chapters:
            found = by_title.pop(chapter.title, None)
            if found is None:
                complete = False
                path = f"/v1/courses/{course_id}/chapters"
                created = self.academy.call("POST", path, {"title": chapter.title}, token=token)
                found = {"id": created["id"], "title": chapter.title, "has_quiz": False, "lessons": []}
            lessons = self._lessons(chapter, found, token)
            complete = complete and len(lessons) == len(found["lessons"])
            if chapter.quiz is not None and not found["has_quiz"]:
                self.academy.call("PUT", f"/v1/chapters/{found['id']}/quiz", chapter.quiz, token=token)
            ordered.append({"id": found["id"], "title": found["title"], "lessons": lessons})
        ordered += by_title.values()
        if not complete:
            order = [{"id": c["id"], "lessons": [lesson["id"] for lesson in c["lessons"]]} for c in ordered]
            self.academy.call("PUT", f"/v1/courses/{course_id}/order", {"chapters": order}, token=token)
        return ordered

    def _lessons(self, chapter: Chapter, found: Any, token: str) -> list[Any]:
        by_title = {lesson["title"]: lesson for lesson in found["lessons"]}
        ordered: list[Any] = []
        for lesson in chapter.lessons:
            self.show(lesson.title, False)
            known = by_title.pop(lesson.title, None)
            here = known or self.academy.call(
                "POST", f"/v1/chapters/{found['id']}/lessons", _lesson_body(lesson), token=token
            )
            path = f"/v1/lessons/{here['id']}/transcript"
            if lesson.transcript is not None and not (known and self._exists(path, token)):
                self.academy.call("PUT", path, lesson.transcript, token=token, media_type="text/vtt")
            ordered.append(here)
        return ordered + list(by_title.values())

    def _exists(self, path: str, token: str) -> bool:
        try:
            self.academy.call("GET", path, token=token)
        except Refused as refused:
            if refused.status != 404:
                raise
            return False
        return True

    def _accounts(self, people: Sequence[Person]) -> dict[str, Account]:
        """The accounts of those who still have the demo's password, by their e-mails."""
        accounts = {}
        for person in people:
            account = self._account(person)
            if account is None:
                self.show(f"{person.display_name} has another password by now: left alone", True)
            else:
                accounts[person.email] = account
        return accounts

    def _studied(self, person: Person, account: Account, entered: dict[str, Entered]) -> int:
        """Let a student have studied; how many lessons they have finished now."""
        self.show(person.display_name, True)
        return sum(self._study(person, account, each, entered[each.course].lessons) for each in person.studies)

    def _played(self, game: Game, duel: Duel, catalogue: Catalogue, entered: dict[str, Entered]) -> str | None:
        """Let a duel have been played, unless its chapter has another title now; its address if it is everybody's."""
        chapter_id = entered[duel.course].chapters.get(duel.chapter)
        (course,) = (course for course in catalogue.courses if course.slug == duel.course)
        (quiz,) = (chapter.quiz for chapter in course.chapters if chapter.title == duel.chapter)
        return None if chapter_id is None or quiz is None else game.play(duel, chapter_id, quiz)

    def _await_points(self, person: Person, account: Account, finished: int) -> None:
        """Wait until the game has heard of so many finished lessons."""
        until = time.monotonic() + POINTS_PATIENCE
        while sum(row["kind"] == "lesson" for row in self._list("/v1/me/ledger", account.token)) < finished:
            if time.monotonic() > until:
                raise DemoError(f"What {person.display_name} earned has not arrived.")
            time.sleep(0.1)

    def _study(self, person: Person, account: Account, studies: Studies, lessons: list[str]) -> int:
        """Let a student have finished their lessons of a course; how many of it they have finished now."""
        if not self._take(account, studies.course):
            return 0
        progress = self.academy.call("GET", f"/v1/courses/{studies.course}/progress", token=account.token)
        done = {lesson["id"] for lesson in progress["lessons"] if lesson["completed_at"]}
        moments = finished_at(studies.days_ago, ZoneInfo(person.time_zone), self.now)
        for lesson_id, moment in zip(lessons, moments, strict=False):
            if lesson_id in done:
                continue
            if moment is None:
                self.academy.call("POST", f"/v1/lessons/{lesson_id}/complete", token=account.token)
            else:
                self._import_completion(account.id, lesson_id, moment, person.time_zone)
        return len(done.union(lessons[: len(studies.days_ago)]))

    def _take(self, account: Account, course: str) -> bool:
        """Let a student have a course, paid for if it costs something; False when they cannot have it."""
        path = f"/v1/courses/{course}"
        try:
            taken = self.academy.call("POST", f"{path}/checkout", {"withdrawal_waiver": True}, token=account.token)
        except Refused as refused:
            if refused.status == 404:
                self.show(f"{course} is not offered any more: left out", True)
                return False
            if refused.problem != "already-owned":
                raise
            return True
        if taken["checkout_url"] is None:
            return True
        if not self.pay(taken["checkout_url"]):
            self.show(f"{course} costs real money here: left out", True)
            return False
        until = time.monotonic() + PAID_PATIENCE
        while not self.academy.call("GET", f"{path}/access", token=account.token)["has_access"]:
            if time.monotonic() > until:
                raise DemoError(f"{course} was paid for, but is not open.")
            time.sleep(0.1)
        return True

    def _import_completion(self, user_id: str, lesson_id: str, moment: datetime, time_zone: str) -> None:
        for attempt in range(1, RPC_ATTEMPTS + 1):
            try:
                self.rpc.call(
                    "progress",
                    "import_completion",
                    user_id=user_id,
                    lesson_id=lesson_id,
                    completed_at=moment,
                    time_zone=time_zone,
                )
                return
            except Unavailable:
                if attempt == RPC_ATTEMPTS:
                    raise
                time.sleep(0.2 * attempt)

    def _list(self, path: str, token: str) -> Iterator[Any]:
        cursor = ""
        while True:
            page = self.academy.call("GET", f"{path}?limit=100{cursor}", token=token)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"


def pay(page: str, stripe_base: str) -> bool:
    """Pay by card on a page of the sandbox, as a person does; False when the page is not the sandbox's.

    Raises `OSError` when it does not answer.
    """
    if not page.startswith(f"{stripe_base}/"):
        return False
    address = urlsplit(page)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=RPC_SECONDS)
    try:
        connection.request("POST", f"{address.path}/card")
        # what follows is the front end, which need not be there
        return connection.getresponse().status == 303
    finally:
        connection.close()


def finished_at(days_ago: tuple[int, ...], zone: ZoneInfo, now: datetime) -> list[datetime | None]:
    """When each lesson was finished, in UTC: late afternoons of the student's own past days; None for today."""
    today = now.astimezone(zone).date()
    moments: list[datetime | None] = []
    for index, days in enumerate(days_ago):
        if days == 0:
            moments.append(None)
            continue
        earlier = days_ago[:index].count(days)
        day = today - timedelta(days=days)
        local = datetime(day.year, day.month, day.day, BEGINS_AT_HOUR, tzinfo=zone)
        moments.append((local + timedelta(minutes=MINUTES_PER_LESSON * earlier)).astimezone(now.tzinfo))
    return moments


def _account_of(answer: Any) -> Account:
    return Account(answer["user"]["id"], answer["user"]["role"], answer["access_token"])


def _course_body(course: Course) -> dict[str, Any]:
    body: dict[str, Any] = {
        "slug": course.slug,
        "title": course.title,
        "subtitle": course.subtitle,
        "description": course.description,
        "category": course.category,
        "level": course.level,
        "language": course.language,
        "practical": course.practical,
    }
    if course.price is not None:
        body["price"] = course.price
    if course.unlock is not None:
        body["unlock"] = course.unlock
    return body


def _lesson_body(lesson: Lesson) -> dict[str, Any]:
    body: dict[str, Any] = {
        "title": lesson.title,
        "kind": lesson.kind,
        "body": lesson.body,
        "duration_seconds": lesson.duration_seconds,
        "free_preview": lesson.free_preview,
    }
    if lesson.project_brief is not None:
        body["project_brief"] = lesson.project_brief
    return body


def _steps(catalogue: Catalogue, people: People) -> int:
    lessons = sum(len(chapter.lessons) for course in catalogue.courses for chapter in course.chapters)
    played = len(people.squads) + len(people.duels)
    return 1 + len(catalogue.courses) + lessons + len(people.students) + played


@contextmanager
def _shown(steps: int) -> Iterator[Callable[[str, bool], None]]:
    """What shows each step: a bar on a terminal, else a line for each one that deserves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text, line: print(f"demo: {text}", file=sys.stderr, flush=True) if line else None
        return
    columns = (TextColumn("demo"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=steps)
        yield lambda text, _: progress.update(bar, advance=1, description=text)
