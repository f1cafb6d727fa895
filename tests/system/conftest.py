"""One whole academy for all these tests, and people in it who speak to it over HTTP."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from chassis.local.supervisor import service_names
from gateway.commands import create_admin
from tests.academy import AcademyUnderTest

PASSWORD = "un mot de passe"


@dataclass
class Visitor:
    """Someone with a browser; `account` is what registration answered, empty for nobody."""

    client: httpx.Client
    account: dict[str, Any] = field(default_factory=dict)
    token: str | None = None

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The academy's answer under /v1."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.client.request(method, f"/v1{path}", headers=headers | options.pop("headers", {}), **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """The academy's answer to a GET."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> httpx.Response:
        """The academy's answer to a POST."""
        return self.ask("POST", path, json=body, **options)

    def done(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """The content of an answer that must have this status."""
        answer = self.ask(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@dataclass
class Course:
    """A course that was made for a test, with the lessons of its chapters."""

    id: str
    slug: str
    chapters: list[str]
    lessons: list[str]


def eventually(found: Callable[[], Any], patience: float = 10.0) -> Any:
    """What `found` gives as soon as it is true; fails after `patience` seconds."""
    until = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < until, f"not within {patience} s"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="package")
def academy() -> Iterator[AcademyUnderTest]:
    with AcademyUnderTest({"LOG_LEVEL": "warning"}) as academy:
        yield academy
        # whatever the tests sent or broke, nothing was a fault of ours
        for name in ("gateway", *service_names()):
            # what does not fit a payment is said as an alarm on purpose
            lines = [line for line in academy.log(name).splitlines() if '"payment alarm"' not in line]
            faults = [line for line in lines if '"level":"error"' in line or line.startswith("Traceback")]
            assert not faults, f"{name}: {faults[:3]}"


@pytest.fixture(scope="package")
def client(academy: AcademyUnderTest) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=academy.base_url, timeout=20) as client:
        yield client


@pytest.fixture(scope="package")
def anonymous(client: httpx.Client) -> Visitor:
    return Visitor(client)


def register(client: httpx.Client, **fields: Any) -> Visitor:
    """Someone new."""
    body = {
        "email": f"{secrets.token_hex(8)}@tanka.example",
        "password": PASSWORD,
        "display_name": "Awa",
        "birth_year": 2000,
    } | fields
    answer = Visitor(client).done("POST", "/auth/register", body, 201)
    return Visitor(client, answer["user"], answer["access_token"])


def enrolled(new_student: Callable[[], Visitor], course: Course) -> Visitor:
    """A new student of the course, whom progress knows as such."""
    student = new_student()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    assert student.done("GET", f"/courses/{course.id}/access")["has_access"]
    return student


@pytest.fixture(scope="package")
def admin(academy: AcademyUnderTest, client: httpx.Client) -> Visitor:
    email = "chef@tanka.example"
    create_admin(academy.database_url("accounts"), email, PASSWORD)
    answer = Visitor(client).done("POST", "/auth/login", {"email": email, "password": PASSWORD})
    return Visitor(client, answer["user"], answer["access_token"])


@pytest.fixture(scope="package")
def new_instructor(client: httpx.Client, admin: Visitor) -> Callable[[], Visitor]:
    def make() -> Visitor:
        someone = register(client, display_name="Arsène")
        admin.done("POST", f"/admin/users/{someone.account['id']}/role", {"role": "instructor"})
        # the process that made the change knows at once, the other as soon as it hears of it
        eventually(lambda: all(someone.get("/instructors/me/courses").status_code == 200 for _ in range(20)))
        return someone

    return make


@pytest.fixture(scope="package")
def instructor(new_instructor: Callable[[], Visitor]) -> Visitor:
    return new_instructor()


@pytest.fixture(scope="package")
def other_instructor(new_instructor: Callable[[], Visitor]) -> Visitor:
    return new_instructor()


@pytest.fixture(scope="package")
def student(client: httpx.Client) -> Visitor:
    return register(client)


@pytest.fixture
def new_student(client: httpx.Client) -> Callable[[], Visitor]:
    return lambda: register(client)


@pytest.fixture(scope="package")
def category(admin: Visitor) -> str:
    admin.done("POST", "/admin/categories", {"slug": "dev-web", "name": "Développement web"}, 201)
    return "dev-web"


@pytest.fixture(scope="package")
def new_course(instructor: Visitor, category: str) -> Callable[..., Course]:
    """`new_course(lessons=2, publish=True, **fields)`: a course of one chapter by `instructor`."""

    def make(lessons: int = 2, *, publish: bool = True, **fields: Any) -> Course:
        body = {"title": f"Cours {secrets.token_hex(4)}", "category": category} | fields
        course = instructor.done("POST", "/courses", body, 201)
        chapter = instructor.done("POST", f"/courses/{course['id']}/chapters", {"title": "Débuts"}, 201)
        made = [
            instructor.done(
                "POST",
                f"/chapters/{chapter['id']}/lessons",
                {"title": f"Leçon {number}", "kind": "text", "body": "Le secret du **web**."},
                201,
            )["id"]
            for number in range(lessons)
        ]
        if publish:
            instructor.done("POST", f"/courses/{course['id']}/publish")
        return Course(course["id"], course["slug"], [chapter["id"]], made)

    return make
