"""What the demo's students play: squads, the shop, and duels, entered as they would do it themselves."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from demo.academy import Academy, Account, Refused
from demo.content import Duel, Person, Quiz, Squad


@dataclass(frozen=True)
class Game:
    """The game; `accounts` are those of the students as whom we may act, by their e-mails, `show` is the loader's.

    Whatever somebody has changed by now stays as they left it.
    """

    academy: Academy
    accounts: Mapping[str, Account]
    show: Callable[[str, bool], None]

    def make_squad(self, squad: Squad, instructor: Account, members: Iterable[Person]) -> None:
        """Make the squad, and let those of its members join who are in none. Raises `Refused`."""
        self.show(squad.name, True)
        maker = instructor if squad.captain is None else self.accounts.get(squad.captain)
        if maker is None:
            return
        body = {"name": squad.name, "motto": squad.motto, "official": squad.captain is None}
        made = self._post("/v1/squads", body, maker, once=True)
        if made is None:
            self._left_alone(squad.name)
            return
        for person in members:
            if person.email in self.accounts and person.email != squad.captain:
                joined = self._post(f"/v1/squads/{made['id']}/join", None, self.accounts[person.email])
                if joined is None:
                    self._left_alone(person.display_name)

    def buy(self, person: Person) -> None:
        """Let the student buy what they are said to have bought. Raises `Refused`."""
        for item in person.buys:
            bought = self._post("/v1/shop/purchases", {"item": item}, self.accounts[person.email], once=True)
            if bought is None:
                self._left_alone(person.display_name)

    def play(self, duel: Duel, chapter_id: str, quiz: Quiz) -> str | None:
        """Make the duel and let those play who are said to have; the address where everybody may, if there is one.

        Raises `Refused`.
        """
        self.show(duel.chapter, True)
        challenger = self.accounts.get(duel.challenger)
        rival = self.accounts.get(duel.rival or "")
        if challenger is None or (rival is None and duel.mode == "live"):
            return None
        body: dict[str, str] = {"mode": duel.mode}
        if rival is not None and duel.mode == "live":
            body["opponent_id"] = rival.id
        made = self._post(f"/v1/chapters/{chapter_id}/duels", body, challenger, once=True)
        if made is None:
            self._left_alone(duel.chapter)
            return None
        address: str | None = made["share_url"]
        runs = dict(zip((challenger, rival), duel.right, strict=False))
        for player, right in runs.items():
            if player is None:
                continue
            played: Any = made
            if address is not None and player is rival:
                token = address.rpartition("/")[2]
                played = self._post(f"/v1/challenges/{token}/accept", None, player)
            if played is not None:
                self._run(played["id"], player, quiz, right)
        return address if duel.right else None

    def _run(self, duel_id: str, player: Account, quiz: Quiz, right: int) -> None:
        """Answer what is left of the quiz, so many of its first questions right."""
        while (served := self._post(f"/v1/duels/{duel_id}/question", None, player)) is not None:
            answer = {"index": served["index"], "choice": _choice(served, quiz, right)}
            self._post(f"/v1/duels/{duel_id}/answer", answer, player)

    def _post(self, path: str, body: Any, account: Account, *, once: bool = False) -> Any:
        """The answer; None where what is asked for cannot be, as things are by now. Raises `Refused`."""
        try:
            return self.academy.call("POST", path, body, token=account.token, once=once)
        except Refused as refused:
            if refused.status not in (403, 404, 409):
                raise
            return None

    def _left_alone(self, what: str) -> None:
        self.show(f"{what}: left alone", True)


def _choice(served: Any, quiz: Quiz, right: int) -> int:
    """What a player chooses who knows so many of the first answers; anything where the quiz was changed."""
    choices: list[str] = served["choices"]
    answers = {question.text: question.choices[question.answer] for question in quiz.questions}
    answer = answers.get(served["text"])
    best = choices.index(answer) if answer in choices else 0
    return best if served["index"] < right else (best + 1) % len(choices)
