"""Given what happens, in any order and repeated, people are told each thing once, and nothing that is of no use."""

import itertools
import threading
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.errors import Invalid, NotFound
from contracts.events.gamification import (
    BadgeAwarded,
    CourseUnlocked,
    DuelChanged,
    SquadCaptainChanged,
    SquadMemberRemoved,
    SquadOfTheWeekChosen,
    StreakFrozen,
)
from contracts.events.notification import DuelNoted, NotificationAdded
from services.notification import handlers
from services.notification.handlers import Choice
from services.notification.queries import Told
from tests.services.notification.desk import NOW, TONIGHT, Desk, delivered, duel, endangered, erased, level


def test_everything_that_happens_to_somebody_lies_in_their_inbox(desk: Desk, awa: UUID) -> None:
    squad, course = uuid4(), uuid4()

    desk.hear(
        level(awa),
        endangered(awa),
        StreakFrozen(user_id=awa, local_date=date(2026, 11, 22), current=7, freezes=1, frozen_at=NOW),
        CourseUnlocked(user_id=awa, course_id=course, streak_days=7, unlocked_at=NOW),
        BadgeAwarded(user_id=awa, code="duelist", reason="10", count=1, awarded_at=NOW),
        SquadOfTheWeekChosen(week="2026-W47", squad_id=squad, score=900, member_ids=(awa, uuid4()), chosen_at=NOW),
        SquadMemberRemoved(membership_id=uuid4(), squad_id=squad, user_id=awa, removed_at=NOW),
        SquadCaptainChanged(squad_id=squad, captain_id=awa, changed_at=NOW),
        duel(uuid4(), awa),
    )

    page = desk.inbox(awa)
    assert sorted(item.kind for item in page.items) == [
        "badge_awarded",
        "duel_challenged",
        "squad_captain",
        "squad_of_the_week",
        "squad_removed",
        "streak_endangered",
        "streak_frozen",
        "streak_unlocked",
        "system",
    ]
    assert page.unread == 9
    by_kind = {item.kind: item for item in page.items}
    assert by_kind["streak_endangered"].body.startswith("Jours d’affilée\u00a0: 7. Cinq minutes suffisent")
    assert by_kind["streak_unlocked"].link == f"http://front.example/courses/{course}"
    assert {kind: item.badge for kind, item in by_kind.items() if item.badge} == {"badge_awarded": "duelist"}
    assert by_kind["badge_awarded"].link == "http://front.example/me"
    assert desk.told(NotificationAdded, awa) == 9


def test_what_is_told_again_by_another_event_is_not_told_again(desk: Desk, awa: UUID) -> None:
    for _ in range(2):
        desk.hear(level(awa), level(awa), endangered(awa))

    assert desk.messages(awa) == ["level_reached", "streak_endangered"]
    assert desk.told(NotificationAdded, awa) == 2


def test_what_arrives_together_is_told_in_the_order_in_which_it_happened(desk: Desk, awa: UUID) -> None:
    facts = [delivered(level(awa, number), time=NOW + timedelta(seconds=number)) for number in (3, 2, 4)]

    desk.receive(facts)

    assert [item.title for item in desk.inbox(awa).items] == [f"Niveau {number} atteint" for number in (4, 3, 2)]


def test_the_same_things_heard_at_once_by_many_are_told_once(desk: Desk, awa: UUID, ber: UUID) -> None:
    challenge = duel(awa, ber)
    ready = threading.Barrier(4)
    errors: list[Exception] = []

    def hear(backwards: bool) -> None:
        facts = [delivered(event, 1) for event in (level(awa), level(ber), challenge, endangered(ber))]
        ready.wait()
        try:
            desk.receive(facts[::-1] if backwards else facts)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=hear, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not errors
    assert sorted(desk.messages(ber)) == ["duel_challenged", "level_reached", "streak_endangered"]
    assert desk.messages(awa) == ["level_reached"]
    assert [desk.told(DuelNoted, player) for player in (awa, ber)] == [1, 1]


def test_a_warning_that_comes_after_the_streak_has_died_is_not_told(desk: Desk, awa: UUID) -> None:
    desk.hear(endangered(awa), at=TONIGHT)

    assert desk.inbox(awa).items == ()
    assert desk.told(NotificationAdded, awa) == 0


@dataclass(frozen=True)
class Story:
    """A duel's states in their order, and what each of its players is told if all are heard in that order."""

    challenger: UUID
    opponent: UUID
    states: tuple[DuelChanged, ...]


def story() -> Story:
    """A duel from its challenge to its end."""
    awa, ber = uuid4(), uuid4()
    opened = duel(awa, ber)
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"state": "playing"},
        {"state": "finished", "winner_id": ber, "points_moved": 50},
    )
    return Story(awa, ber, tuple(msgspec.structs.replace(opened, **change) for change in changes))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("cut", range(3))
def test_a_duel_whose_states_come_in_any_order_ends_once_and_is_not_announced_late(
    desk: Desk, order: tuple[int, ...], cut: int
) -> None:
    told = story()
    facts = [delivered(told.states[number], number + 1) for number in order]

    for part in (facts[:cut], facts[cut:], facts):
        desk.receive(part)

    (noted,) = desk.feed(told.opponent, 0).items[-1:]
    stands = desk.feed(told.challenger, 0).items
    assert [item.duel.state for item in stands if item.duel] == ["finished"]
    assert desk.messages(told.challenger) == ["duel_finished.lost"]
    announced = ["duel_challenged"] if cut and 2 not in order[:cut] else []
    assert desk.messages(told.opponent) == [*announced, "duel_finished.won"]
    assert noted.number == desk.feed(told.opponent, None).number


def test_who_was_erased_is_told_nothing_and_what_they_were_told_is_gone(desk: Desk, awa: UUID, ber: UUID) -> None:
    desk.hear(level(awa), duel(ber, awa), endangered(awa), by_mail=True)
    desk.choose(awa, system=Choice(in_app=False))

    desk.hear(level(awa, 3), erased(awa), level(ber))
    desk.hear(level(awa, 4), duel(ber, awa, state="finished"))

    assert desk.inbox(awa).items == ()
    assert desk.feed(awa, 0).items == ()
    assert desk.mails(awa) == []
    assert desk.messages(ber) == ["level_reached", "duel_finished.draw"]
    with pytest.raises(NotFound):
        desk.choose(awa, system=Choice(in_app=True))


def test_an_erasure_that_is_heard_first_counts_too(desk: Desk, awa: UUID) -> None:
    desk.hear(erased(awa))
    desk.hear(level(awa))

    assert desk.inbox(awa).items == ()


def test_a_kind_that_is_switched_off_is_not_in_the_inbox_and_not_on_streams(desk: Desk, awa: UUID) -> None:
    desk.choose(awa, system=Choice(in_app=False), streak_endangered=Choice(in_app=False, email=True))

    desk.hear(level(awa), endangered(awa), by_mail=True)

    assert desk.inbox(awa) == desk.inbox(awa, only_unread=True)
    assert desk.inbox(awa).items == ()
    assert desk.inbox(awa).unread == 0
    assert desk.feed(awa, 0).items == ()
    assert desk.told(NotificationAdded, awa) == 0
    assert desk.mails(awa) == [("waiting", 0)]


def test_without_a_mail_server_no_mail_waits(desk: Desk, awa: UUID) -> None:
    desk.hear(endangered(awa), by_mail=False)

    assert desk.mails(awa) == []


def test_a_kind_that_there_is_not_is_named_and_nothing_changes(desk: Desk, awa: UUID) -> None:
    with pytest.raises(Invalid) as refused:
        desk.choose(awa, **{"system": Choice(in_app=False), "a/b": Choice(email=True)})

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/a~1b", "unknown-kind")]
    desk.hear(level(awa))
    assert desk.messages(awa) == ["level_reached"]


def test_what_is_chosen_for_one_channel_leaves_the_other(desk: Desk, awa: UUID) -> None:
    desk.choose(awa, duel_challenged=Choice(email=False))
    desk.choose(awa, duel_challenged=Choice(in_app=False))
    desk.choose(awa)

    desk.hear(duel(uuid4(), awa), by_mail=True)

    assert (desk.messages(awa), desk.mails(awa)) == ([], [])


def test_an_inbox_is_read_page_by_page_newest_first_while_more_arrives(desk: Desk, awa: UUID) -> None:
    for number in range(2, 7):
        desk.hear(level(awa, number))

    first = desk.inbox(awa, limit=2)
    desk.hear(level(awa, 7))
    second = desk.inbox(awa, limit=2, cursor=first.next_cursor)
    third = desk.inbox(awa, limit=2, cursor=second.next_cursor)

    titles = [item.title for page in (first, second, third) for item in page.items]
    assert titles == [f"Niveau {number} atteint" for number in (6, 5, 4, 3, 2)]
    assert third.next_cursor is None
    for cursor in ("x", "\0", "bnVsbA=="):
        with pytest.raises(Invalid):
            desk.inbox(awa, cursor=cursor)


def test_what_was_read_is_unread_no_more_and_stays_read_since_then(desk: Desk, awa: UUID, ber: UUID) -> None:
    desk.hear(level(awa, 2), level(awa, 3), level(awa, 4))
    newest, _, oldest = desk.inbox(awa).items

    for later in (0, 5):
        with desk.database.unit_of_work() as unit_of_work:
            handlers.read_notification(unit_of_work, awa, oldest.id, NOW + timedelta(minutes=later))
    for stranger, which in ((ber, newest.id), (awa, uuid4())):
        with pytest.raises(NotFound), desk.database.unit_of_work() as unit_of_work:
            handlers.read_notification(unit_of_work, stranger, which, NOW)

    assert desk.inbox(awa).unread == 2
    assert desk.inbox(awa).items[2].read_at == NOW
    assert [item.title for item in desk.inbox(awa, only_unread=True).items] == ["Niveau 4 atteint", "Niveau 3 atteint"]
    with desk.database.unit_of_work() as unit_of_work:
        handlers.read_all_notifications(unit_of_work, awa, NOW)
    assert desk.inbox(awa).unread == 0


def test_a_feed_goes_on_after_any_number_without_a_gap(desk: Desk, awa: UUID, ber: UUID) -> None:
    begin = desk.feed(awa, None)
    challenge = duel(awa, ber)
    desk.hear(level(awa))
    desk.receive([delivered(challenge, 1)])
    desk.hear(level(awa, 3))
    desk.receive([delivered(msgspec.structs.replace(challenge, state="playing"), 2)])

    whole = desk.feed(awa, begin.number)
    in_steps: list[Told] = []
    after = begin.number
    while True:
        step = desk.feed(awa, after, limit=1)
        in_steps += step.items
        after = step.number
        if not step.more:
            break

    assert [
        item.notification.title if item.notification else item.duel and item.duel.state for item in whole.items
    ] == [
        "Niveau 2 atteint",
        "Niveau 3 atteint",
        "playing",
    ]
    assert tuple(in_steps) == whole.items
    assert after == whole.number == 4
    assert desk.feed(awa, 4).items == ()
    assert desk.feed(awa, 10**9).number == 4
