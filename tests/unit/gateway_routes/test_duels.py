"""Given students who duel, who asks is passed on as the accounts know them, and names are added to what comes back."""

import io
import re
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image, ImageChops

from contracts.errors import Conflict, Forbidden, NotFound, Unavailable
from gateway import cards
from gateway.app import Gateway
from gateway.cache import PageCache
from gateway.people import Person
from tests.unit.gateway_routes.conftest import ADMIN, BER, HOLDER, FakeAcademy, KnownPeople, Visitor
from tests.unit.gateway_routes.test_catalogue import tell_changed

TOKEN = "dGhpcyBpcyBhIHRva2Vu"
PAGE = f"/challenges/{TOKEN}"


class Academy(FakeAcademy):
    """A game in which Awa (`HOLDER`) challenges Ber on the chapter, and everybody by a link."""

    def __init__(self) -> None:
        super().__init__()
        self.duel_id = uuid4()
        self.chapter_title = "Les sélecteurs"
        self.score = 900
        self.questions = 5
        self.created = True
        self.offered: list[UUID] = [BER.id, uuid4(), ADMIN.id]
        self.refuses: Exception | None = None

    def _duel(self, **changes: Any) -> dict[str, Any]:
        return {
            "id": str(self.duel_id),
            "chapter_id": str(self.chapter_id),
            "chapter_title": self.chapter_title,
            "course_id": str(self.course_id),
            "mode": "live",
            "state": "open",
            "void_reason": None,
            "players": [{"id": str(HOLDER.id), "score": 900}, {"id": str(BER.id), "score": None}],
            "winner_id": None,
            "points_moved": 0,
            "points_held": 0,
            "questions": self.questions,
            "time_limit_seconds": 20,
            "created_at": "2026-11-23T12:00:00Z",
            "expires_at": "2026-11-26T12:00:00Z",
            "token": None,
        } | changes

    def create_duel(self, mode: str, **_: Any) -> Any:
        if self.refuses:
            raise self.refuses
        return self._duel(mode=mode, token=TOKEN if mode == "link" else None)

    def get_opponents(self, **_: Any) -> Any:
        return {"items": [str(one) for one in self.offered]}

    def get_duels(self, **_: Any) -> Any:
        erased = {"id": str(uuid4()), "score": 100}
        players = [{"id": str(HOLDER.id), "score": 900}, erased]
        return {"items": [self._duel(), self._duel(players=players)], "next_cursor": "more"}

    def get_duel(self, duel_id: UUID, **_: Any) -> Any:
        if duel_id != self.duel_id:
            raise NotFound
        return self._duel()

    def decline_duel(self, user_id: UUID, **_: Any) -> Any:
        if user_id != BER.id:
            raise Forbidden
        return self._duel(state="void", void_reason="declined")

    def serve_question(self, **_: Any) -> Any:
        return {
            "index": 0,
            "total": 5,
            "text": "Oui ?",
            "choices": ["Oui", "Non"],
            "deadline": "2026-11-23T12:00:20Z",
            "remaining_ms": 20_000,
            "answer": 1,
        }

    def answer_question(self, index: int, choice: int, **_: Any) -> Any:
        if index > 0:
            members = {"index": index, "choice": 0, "correct": True, "right_choice": 0, "points": 900, "score": 180}
            raise Conflict("already-answered", members=members)
        return {"correct": choice == 1, "right_choice": 1, "points": 1000, "score": 200}

    def get_challenge(self, token: str) -> Any:
        if token != TOKEN:
            raise NotFound
        return {
            "challenger_id": str(HOLDER.id),
            "course": {"id": str(self.course_id), "slug": self.slug, "title": self.title},
            "chapter": {"id": str(self.chapter_id), "title": self.chapter_title},
            "score": self.score,
            "questions": self.questions,
            "time_limit_seconds": 20,
            "expires_at": None,
        }

    def accept_challenge(self, user_id: UUID, token: str) -> Any:
        return {"duel": self._duel(mode="link", token=token), "created": self.created}


@pytest.fixture
def academy() -> Academy:
    return Academy()


class Tags(HTMLParser):
    """What a page says in its tags: metas by name, links, texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.metas: dict[str, str] = {}
        self.addresses: list[str] = []
        self.language = ""
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "meta" and (name := found.get("property") or found.get("name")):
            self.metas[name] = found.get("content") or ""
        if tag == "a":
            self.addresses.append(found.get("href") or "")
        if tag == "html":
            self.language = found.get("lang") or ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def named(app: Gateway, name: str) -> None:
    """Let Awa have another name."""
    awa = replace(HOLDER, display_name=name)

    class Renamed(KnownPeople):
        def by_ids(self, ids: Any) -> dict[UUID, Person]:
            return super().by_ids(ids) | {awa.id: awa}

    app.parts.people = Renamed()  # type: ignore[assignment]


def page(app: Gateway, path: str = PAGE, **headers: str) -> Any:
    return app.test_client().get(path, headers=headers)


def card(score: int) -> cards.Card:
    """The words of a picture."""
    return cards.Card("TankaAcademy", "Awa te défie !", str(score), "points sur 1000", "CSS", "Web", "Feras-tu mieux ?")


@contextmanager
def busy() -> Iterator[tuple[set[Future[bytes]], list[BaseException | None]]]:
    """As long as the block lasts, as many pictures wait to be drawn as may; and how one more was refused."""
    with ThreadPoolExecutor(cards.AT_MOST + 1) as crowd, cards._turn:
        drawings = [crowd.submit(cards.drawn, card(score)) for score in range(cards.AT_MOST + 1)]
        refused, waiting = wait(drawings, timeout=20, return_when=FIRST_COMPLETED)
        yield waiting, [drawing.exception() for drawing in refused]


class TestPlaying:
    """The routes of those who duel."""

    def test_a_rival_is_challenged_as_the_accounts_know_them(self, academy: Academy, holder: Visitor) -> None:
        answer = holder.ask(
            "POST", f"/chapters/{academy.chapter_id}/duels", json={"mode": "live", "opponent_id": str(BER.id)}
        )

        assert answer.status_code == 201
        assert isinstance(academy.arguments.pop("duel_id"), UUID)
        assert academy.arguments == {
            "user_id": HOLDER.id,
            "role": "student",
            "chapter_id": academy.chapter_id,
            "mode": "live",
            "opponent_id": BER.id,
            "opponent_role": "student",
        }
        assert [player["display_name"] for player in answer.get_json()["players"]] == ["Awa", "Ber"]
        assert (answer.get_json()["share_url"], "token" in answer.get_json()) == (None, False)

    def test_a_link_is_shared_under_our_own_address(self, academy: Academy, holder: Visitor) -> None:
        answer = holder.ask("POST", f"/chapters/{academy.chapter_id}/duels", json={"mode": "link"})

        assert answer.get_json()["share_url"] == f"http://127.0.0.1:8000/challenges/{TOKEN}"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/mode"),
            ({"mode": "duo"}, "/mode"),
            ({"mode": "live", "opponent_id": "ber"}, "/opponent_id"),
            ({"mode": "live", "opponent_id": str(uuid4())}, "/opponent_id"),
            ({"mode": "link", "stake": 50}, "/stake"),
        ],
    )
    def test_a_duel_that_cannot_be_is_refused_by_its_field(
        self, academy: Academy, holder: Visitor, body: dict[str, Any], pointer: str
    ) -> None:
        answer = holder.ask("POST", f"/chapters/{academy.chapter_id}/duels", json=body)

        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
        assert not academy.asked

    @pytest.mark.parametrize("problem", ["opponent-without-access", "no-quiz", "quiz-in-play", "duel-void"])
    def test_a_conflict_is_told_in_words(self, academy: Academy, holder: Visitor, problem: str) -> None:
        academy.refuses = Conflict(problem)

        answer = holder.ask("POST", f"/chapters/{academy.chapter_id}/duels", json={"mode": "link"})

        assert (answer.status_code, answer.get_json()["type"]) == (409, f"/problems/{problem}")
        assert answer.get_json()["title"] != "Conflit"

    def test_opponents_have_names_and_those_without_an_account_are_left_out(
        self, academy: Academy, holder: Visitor
    ) -> None:
        path = f"/chapters/{academy.chapter_id}/opponents"

        items = holder.get(path).get_json()["items"]
        first = holder.get(f"{path}?limit=1").get_json()
        second = holder.get(f"{path}?limit=1&cursor={first['next_cursor']}").get_json()

        assert items == [{"id": str(one.id), "display_name": one.display_name} for one in (BER, ADMIN)]
        assert (first["items"] + second["items"], second["next_cursor"]) == (items, None)
        assert holder.get(f"{path}?cursor=x").status_code == 422

    @pytest.mark.parametrize(("sought", "found"), [("be", 1), ("BÉR", 1), ("in", 1), ("x", 0), ("%25", 0)])
    def test_opponents_are_found_without_case_and_accents(
        self, academy: Academy, holder: Visitor, sought: str, found: int
    ) -> None:
        items = holder.get(f"/chapters/{academy.chapter_id}/opponents?q={sought}").get_json()["items"]

        assert len(items) == found

    def test_a_question_is_served_in_the_players_time_zone_and_says_what_it_may(
        self, academy: Academy, holder: Visitor
    ) -> None:
        answer = holder.ask("POST", f"/duels/{academy.duel_id}/question")

        assert answer.status_code == 200
        assert set(answer.get_json()) == {"index", "total", "text", "choices", "deadline", "remaining_ms"}
        assert academy.arguments["time_zone"] == "Europe/Paris"

    def test_an_answer_is_judged_and_a_second_one_told_what_became_of_the_first(
        self, academy: Academy, holder: Visitor
    ) -> None:
        path = f"/duels/{academy.duel_id}/answer"

        judged = holder.ask("POST", path, json={"index": 0, "choice": 1})
        again = holder.ask("POST", path, json={"index": 1, "choice": 1})

        assert judged.get_json() == {"correct": True, "right_choice": 1, "points": 1000, "score": 200}
        assert (again.status_code, again.get_json()["type"]) == (409, "/problems/already-answered")
        assert (again.get_json()["right_choice"], again.get_json()["points"]) == (0, 900)

    @pytest.mark.parametrize(
        "body", [{}, {"index": 0}, {"index": -1, "choice": 0}, {"index": 0, "choice": "1"}, {"index": 0, "choice": 1e9}]
    )
    def test_an_answer_that_is_none_is_refused(self, academy: Academy, holder: Visitor, body: object) -> None:
        assert holder.ask("POST", f"/duels/{academy.duel_id}/answer", json=body).status_code == 422
        assert not academy.asked

    def test_duels_are_listed_also_against_those_who_are_gone(self, academy: Academy, holder: Visitor) -> None:
        answer = holder.get("/me/duels").get_json()

        names = [[player["display_name"] for player in duel["players"]] for duel in answer["items"]]
        assert (names, answer["next_cursor"]) == ([["Awa", "Ber"], ["Awa", ""]], "more")

    def test_a_challenge_is_accepted_once_and_then_the_same_again(self, academy: Academy, student: Visitor) -> None:
        path = f"/challenges/{TOKEN}/accept"

        assert student.ask("POST", path).status_code == 201
        academy.created = False
        assert student.ask("POST", path).status_code == 200
        assert student.ask("POST", "/challenges/x%00y/accept").status_code == 404

    def test_nobody_plays_without_an_account(self, academy: Academy, anonymous: Visitor) -> None:
        for method, path in (
            ("GET", f"/chapters/{academy.chapter_id}/opponents"),
            ("POST", f"/chapters/{academy.chapter_id}/duels"),
            ("GET", "/me/duels"),
            ("GET", f"/duels/{academy.duel_id}"),
            ("POST", f"/duels/{academy.duel_id}/decline"),
            ("POST", f"/duels/{academy.duel_id}/question"),
            ("POST", f"/duels/{academy.duel_id}/answer"),
            ("POST", f"/challenges/{TOKEN}/accept"),
        ):
            assert anonymous.ask(method, path).status_code == 401, path

    def test_everybody_sees_a_challenge(self, academy: Academy, anonymous: Visitor) -> None:
        assert anonymous.get(f"/challenges/{TOKEN}").get_json() == {
            "challenger": {"id": str(HOLDER.id), "display_name": "Awa"},
            "course": {"id": str(academy.course_id), "slug": "web", "title": "Ton premier site"},
            "chapter": {"id": str(academy.chapter_id), "title": "Les sélecteurs"},
            "score": 900,
            "questions": 5,
            "time_limit_seconds": 20,
            "expires_at": None,
        }
        assert anonymous.get("/challenges/unknown").status_code == 404
        assert anonymous.get("/challenges/" + "a" * 65).status_code == 404


class TestPage:
    """What the link opens."""

    def test_a_messenger_finds_all_it_needs_for_a_preview(self, app: Gateway) -> None:
        answer = page(app)

        tags = Tags(answer.text)
        address = f"http://127.0.0.1:8000{PAGE}"
        assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
        assert {name: value for name, value in tags.metas.items() if name.startswith(("og:", "twitter:"))} == {
            "og:type": "website",
            "og:site_name": "TankaAcademy",
            "og:title": "Awa te défie\u00a0: feras-tu mieux que 900\u00a0?",
            "og:description": "Quiz «\u00a0Les sélecteurs\u00a0» du cours «\u00a0Ton premier site\u00a0». "
            "Mêmes questions, même chrono\u00a0: à toi de jouer\u00a0!",
            "og:url": address,
            "og:locale": "fr_FR",
            "og:locale:alternate": "en_GB",
            "og:image": f"{address}.png?lang=fr",
            "og:image:type": "image/png",
            "og:image:width": "1200",
            "og:image:height": "630",
            "og:image:alt": "Awa a marqué 900 points sur 1000 au quiz «\u00a0Les sélecteurs\u00a0»",
            "twitter:card": "summary_large_image",
            "twitter:title": "Awa te défie\u00a0: feras-tu mieux que 900\u00a0?",
            "twitter:description": tags.metas["og:description"],
            "twitter:image": f"{address}.png?lang=fr",
            "twitter:image:alt": tags.metas["og:image:alt"],
        }
        assert f"http://127.0.0.1:3000{PAGE}" in tags.addresses
        assert {"Awa te défie\u00a0!", "900", "5 questions"} <= set(tags.texts)

    @pytest.mark.parametrize(
        ("query", "header", "language"),
        [
            ("", "", "fr"),
            ("", "en-GB,en;q=0.9", "en"),
            ("", "de", "fr"),
            ("?lang=en", "fr", "en"),
            ("?lang=fr", "en", "fr"),
            ("?lang=xx", "en", "en"),
            ("?lang=", "", "fr"),
        ],
    )
    def test_it_speaks_french_or_english(self, app: Gateway, query: str, header: str, language: str) -> None:
        answer = page(app, PAGE + query, **{"Accept-Language": header} if header else {})

        assert (answer.headers["Content-Language"], Tags(answer.text).language) == (language, language)
        assert "Accept-Language" in answer.headers["Vary"]

    @pytest.mark.parametrize("token", ["unknown", "a" * 65, "%3Cscript%3E", "x%20y"])
    def test_a_dead_link_is_a_page_too(self, app: Gateway, token: str) -> None:
        answer = page(app, f"/challenges/{token}")

        assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")
        assert "og:title" not in Tags(answer.text).metas
        assert "http://127.0.0.1:3000" in Tags(answer.text).addresses

    def test_a_silent_game_asks_to_come_back(self, app: Gateway, academy: Academy) -> None:
        academy.silent = {"gamification"}

        answer = page(app)

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "On revient tout de suite" in answer.text
        assert page(app, f"{PAGE}.png").status_code == 503

    def test_what_people_write_is_shown_as_they_wrote_it(self, app: Gateway, academy: Academy) -> None:
        named(app, '"><script>alert(1)</script>')
        academy.chapter_title = "</title><img src=x onerror=alert(2)> {{ 7 * 7 }} {score}"
        academy.title = "' onload='alert(3)"

        tags = Tags(page(app).text)

        assert set(tags.tags).isdisjoint({"script", "img"})
        assert '"><script>alert(1)</script> te défie\u00a0!' in tags.texts
        assert academy.chapter_title in tags.texts
        assert academy.chapter_title in tags.metas["og:description"]

    def test_nothing_but_its_own_style_may_run(self, app: Gateway) -> None:
        for path in (PAGE, "/challenges/unknown"):
            policy = page(app, path).headers["Content-Security-Policy"]
            assert re.fullmatch(
                r"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                r"style-src 'sha256-[A-Za-z0-9+/=]{44}'",
                policy,
            )
            assert 'style="' not in page(app, path).text

    def test_who_has_it_already_is_told_so_until_something_changes(self, app: Gateway, academy: Academy) -> None:
        for path in (PAGE, f"{PAGE}.png"):
            first = page(app, path)
            assert first.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
            etag = first.headers["ETag"]
            assert page(app, path, **{"If-None-Match": etag}).status_code == 304
            assert page(app, f"{path}?lang=en").headers["ETag"] != etag
            academy.title += " (bis)"
            tell_changed(app, academy)
            assert page(app, path, **{"If-None-Match": etag}).status_code == 200

    def test_what_the_game_hears_later_than_the_gateway_shows_within_seconds(
        self, app: Gateway, academy: Academy
    ) -> None:
        now = [0.0]
        app.parts.pages = PageCache(clock=lambda: now[0])
        assert "900" in Tags(page(app).text).texts
        academy.score = 901

        now[0] += 4.9
        assert (academy.asked["get_challenge"], "900" in Tags(page(app).text).texts) == (1, True)
        now[0] += 0.2
        assert "901" in Tags(page(app).text).texts

    @pytest.mark.parametrize(("ref", "kept"), [("video-42", "?ref=video-42"), ('"><b>', ""), ("a" * 65, ""), ("", "")])
    def test_the_link_on_a_video_goes_on_to_the_front_end(self, app: Gateway, ref: str, kept: str) -> None:
        answer = app.test_client().get(PAGE, query_string={"ref": ref})

        assert Tags(answer.text).addresses == [
            f"http://127.0.0.1:3000{PAGE}{kept}",
            f"?lang=en{kept.replace('?', '&')}",
        ]

    def test_one_question_is_not_several(self, app: Gateway, academy: Academy) -> None:
        academy.questions = 1

        assert "1 question" in Tags(page(app).text).texts


class TestPicture:
    """What messengers show."""

    @pytest.mark.parametrize(
        "name",
        [
            "Awa",
            "Éléonore Çelik-Dąbrowska Nguyễn",
            "W" * 80,
            "😀✨👩‍💻",
            "مرحبا بالعالم",
            "あいう",
            "\u202eAwa",
            " ",
            "Ђорђе Ω",
        ],
    )
    def test_it_is_drawn_whatever_the_names(self, app: Gateway, academy: Academy, name: str) -> None:
        named(app, name)
        academy.chapter_title = name * 3

        answer = page(app, f"{PAGE}.png?lang=fr")

        assert (answer.status_code, answer.content_type) == (200, "image/png")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        with Image.open(io.BytesIO(answer.data)) as picture:
            assert (picture.format, picture.size) == ("PNG", cards.SIZE)
        assert len(answer.data) < 300_000

    @pytest.mark.parametrize("language", ["fr", "en"])
    @pytest.mark.parametrize(
        "name", ["Awa", "Éléonore", "Sterne futée 3401", "Jean-Christophe Rakotomalala-Andria", "W" * 80, "W W " * 20]
    )
    def test_all_words_are_in_the_square_in_the_middle(
        self, app: Gateway, academy: Academy, name: str, language: str
    ) -> None:
        named(app, name)
        academy.chapter_title, academy.title, academy.score = name * 3, name * 4, 1000

        answer = page(app, f"{PAGE}.png?lang={language}")

        with Image.open(io.BytesIO(answer.data)) as picture:
            written = ImageChops.difference(picture, cards._background()).getbbox()
        assert written is not None
        assert written[0] > 285 + 10, "WhatsApp shows 630 by 630 pixels"
        assert written[2] < 915 - 10

    @pytest.mark.parametrize(
        ("headline", "lines"),
        [
            ("Awa te défie\u00a0!", ["Awa te défie\u00a0!"]),
            ("Éléonore challenges you!", ["Éléonore", "challenges you!"]),
            ("Sterne\u00a0futée\u00a03401 te défie\u00a0!", ["Sterne\u00a0futée\u00a03401", "te défie\u00a0!"]),
            ("W" * 80, ["W" * 80]),
        ],
    )
    def test_a_headline_is_parted_between_the_name_and_the_rest(self, headline: str, lines: list[str]) -> None:
        assert cards.parted(headline) == lines

    def test_a_dead_link_has_none(self, app: Gateway) -> None:
        assert page(app, "/challenges/unknown.png").status_code == 404

    def test_only_what_the_fonts_have_is_drawn(self) -> None:
        assert cards.drawable("Awa 😀 Çelik") == "Awa Çelik"
        assert cards.drawable("👩‍💻") == ""
        assert cards.drawable("e\u0301") == "é"

    def test_a_challenge_that_spreads_is_asked_for_and_drawn_once(
        self, app: Gateway, academy: Academy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawings: list[cards.Card] = []

        def drawn(card: cards.Card) -> bytes:
            drawings.append(card)
            return cards.drawn(card)

        monkeypatch.setattr("gateway.routes.challenge_pages.cards", SimpleNamespace(**vars(cards) | {"drawn": drawn}))

        with ThreadPoolExecutor(8) as crowd:
            answers = list(crowd.map(lambda _: page(app, f"{PAGE}.png").status_code, range(16)))

        assert answers == [200] * 16
        assert len(drawings) == 1
        assert academy.asked["get_challenge"] == 1

    def test_only_a_few_are_drawn_at_a_time_and_the_rest_is_told_to_come_back(self) -> None:
        with busy() as (drawings, refused):
            assert [type(error) for error in refused] == [Unavailable]

        pictures = [drawing.result(20) for drawing in drawings]
        assert len(pictures) == cards.AT_MOST
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)
        assert cards.drawn(card(1))

    def test_while_all_hands_draw_a_picture_that_is_kept_is_still_shown(self, app: Gateway) -> None:
        now = [0.0]
        app.parts.pages = PageCache(clock=lambda: now[0])
        kept = page(app, f"{PAGE}.png?lang=fr")

        with busy():
            new = page(app, f"{PAGE}.png?lang=en")
            again = page(app, f"{PAGE}.png?lang=fr")
            known = page(app, f"{PAGE}.png?lang=fr", **{"If-None-Match": kept.headers["ETag"]})
            now[0] += 600
            aged = page(app, f"{PAGE}.png?lang=fr")

        assert (new.status_code, new.headers["Retry-After"]) == (503, "1")
        assert new.get_json()["type"] == "/problems/busy"
        assert kept.data == again.data == aged.data
        assert (again.status_code, aged.status_code, known.status_code) == (200, 200, 304)
        assert page(app, f"{PAGE}.png?lang=en").status_code == 200

    def test_other_words_are_another_picture(self) -> None:
        assert card(900).etag != card(901).etag
