"""Given what happened, who is told what, and until when."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from services.notification.domain import notices
from services.notification.domain.notices import Duel

NOW = datetime(2026, 11, 23, 19, tzinfo=UTC)
AWA, BER = uuid4(), uuid4()
OPEN = Duel(uuid4(), "live", "open", AWA, BER, NOW + timedelta(hours=72))


def told(duel: Duel) -> set[tuple[str, str]]:
    """Who is told what of a duel."""
    names = {AWA: "challenger", BER: "rival"}
    return {(names[notice.user_id], notice.message) for notice in notices.of_duel(duel)}


def test_the_rival_hears_of_a_live_challenge_and_nobody_of_a_link_that_waits() -> None:
    assert told(OPEN) == {("rival", "duel_challenged")}
    assert told(replace(OPEN, mode="link", opponent_id=None)) == set()
    assert told(replace(OPEN, state="playing")) == {("rival", "duel_challenged")}, (
        "of one begun at once only that is heard"
    )


def test_a_challenge_is_of_no_use_once_it_has_expired() -> None:
    (challenge,) = notices.of_duel(OPEN)

    assert not challenge.is_useless(NOW)
    assert challenge.is_useless(OPEN.expires_at)


def test_both_players_hear_how_it_ended_each_from_their_side() -> None:
    ended = replace(OPEN, state="finished", winner_id=BER, points_moved=50)

    assert told(ended) == {("challenger", "duel_finished.lost"), ("rival", "duel_finished.won")}
    assert told(replace(ended, winner_id=None)) == {
        ("challenger", "duel_finished.draw"),
        ("rival", "duel_finished.draw"),
    }
    assert told(replace(ended, points_moved=0)) == {
        ("challenger", "duel_finished.lost.honour"),
        ("rival", "duel_finished.won.honour"),
    }
    alone = replace(ended, mode="link", opponent_id=None, winner_id=None, points_moved=0)
    assert told(alone) == set(), "who played alone to share a link was there"
    assert {notice.user_id: notice.parameters for notice in notices.of_duel(ended)} == {
        AWA: {"points": 50, "rival": str(BER)},
        BER: {"points": 50, "rival": str(AWA)},
    }


def test_the_challenger_hears_of_a_refusal_and_both_of_an_expiry() -> None:
    void = replace(OPEN, state="void")

    assert told(replace(void, void_reason="declined")) == {("challenger", "duel_declined")}
    assert told(replace(void, void_reason="expired")) == {("challenger", "duel_expired"), ("rival", "duel_expired")}
    by_link = replace(void, mode="link", void_reason="expired")
    assert told(by_link) == {("rival", "duel_expired")}, "anybody may take up a link, and many"
    assert told(replace(void, void_reason="expired", opponent_id=None)) == {("challenger", "duel_expired.alone")}
    assert told(void) == set()


def test_a_streak_that_has_died_is_not_said_to_be_in_danger() -> None:
    dies_at = NOW + timedelta(hours=4)
    notice = notices.of_endangered_streak(AWA, date(2026, 11, 23), 7, dies_at)

    assert not notice.is_useless(dies_at - timedelta(seconds=1))
    assert notice.is_useless(dies_at)


def test_whoever_earned_for_the_squad_of_the_week_is_told_once_a_week() -> None:
    squad = uuid4()
    first = notices.of_squad_of_the_week("2026-W47", squad, 900, (AWA, BER))
    next_week = notices.of_squad_of_the_week("2026-W48", squad, 900, (AWA,))

    assert [notice.user_id for notice in first] == [AWA, BER]
    assert len({notice.key for notice in (*first, *next_week)}) == 2


def test_who_becomes_captain_again_is_told_again() -> None:
    squad = uuid4()

    assert notices.of_new_captain(AWA, squad, NOW).key != notices.of_new_captain(AWA, squad, OPEN.expires_at).key


def test_no_notification_carries_more_than_ids_codes_and_numbers() -> None:
    for notice in (
        *notices.of_duel(replace(OPEN, state="finished")),
        notices.of_frozen_streak(AWA, date(2026, 11, 23), 7, 1),
        notices.of_unlocked_course(AWA, uuid4(), 7),
        notices.of_badge(AWA, "first-steps", "once"),
        notices.of_level(AWA, 3),
        notices.of_removed_member(AWA, uuid4()),
    ):
        assert all(isinstance(value, int) or name in ("rival", "badge") for name, value in notice.parameters.items())
