"""The reads of duels: what each player may see of them, and what everybody may see of a challenge."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import exists, select, text, true, tuple_, union_all
from sqlalchemy.engine import Connection

from chassis.cursors import read_cursor, write_cursor
from contracts.errors import NotFound
from contracts.events.base import Instant
from services.gamification.domain.duels import State
from services.gamification.duels import Duel, Mode, VoidReason, read
from services.gamification.quizzes import ChapterWithQuiz
from services.gamification.stakes import held
from services.gamification.tables import chapter_copies, duel_runs, duels, memberships, people

RECENT_DUELS = 500
MOST_RIVALS = 100
MATES_MAX = 100


class PlayerView(msgspec.Struct, frozen=True):
    """A player; the score is null until the run is over, and to the rival until both are."""

    id: UUID
    score: int | None


class DuelView(msgspec.Struct, frozen=True, kw_only=True):
    """A duel as one of its players sees it; `points_held` were laid down by each and are not yet won or given back."""

    id: UUID
    chapter_id: UUID
    chapter_title: str | None
    course_id: UUID
    mode: Mode
    state: State
    players: tuple[PlayerView, ...]
    winner_id: UUID | None
    points_moved: int
    points_held: int
    questions: int
    time_limit_seconds: int
    created_at: datetime
    expires_at: datetime
    void_reason: VoidReason | None
    token: str | None


class DuelPage(msgspec.Struct, frozen=True):
    """Duels of a player, newest first."""

    items: tuple[DuelView, ...]
    next_cursor: str | None


class QuestionView(msgspec.Struct, frozen=True):
    """A question that is served: nothing in it says which choice is right."""

    index: int
    total: int
    text: str
    choices: tuple[str, ...]
    deadline: datetime
    remaining_ms: int


class CourseNamed(msgspec.Struct, frozen=True):
    """A course as a challenge names it."""

    id: UUID
    slug: str
    title: str


class ChapterNamed(msgspec.Struct, frozen=True):
    """A chapter as a challenge names it."""

    id: UUID
    title: str


class ChallengeView(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may see of a challenge: who scored how much on which chapter's quiz. It does not expire."""

    challenger_id: UUID
    course: CourseNamed
    chapter: ChapterNamed
    score: int
    questions: int
    time_limit_seconds: int
    expires_at: None = None


def duel_views(connection: Connection, found: Sequence[Duel], viewer_id: UUID) -> tuple[DuelView, ...]:
    """The duels as one of their players sees them."""
    chapter_ids = {duel.chapter_id for duel in found}
    named = select(chapter_copies.c.chapter_id, chapter_copies.c.title)
    titles = {
        row.chapter_id: row.title
        for row in connection.execute(named.where(chapter_copies.c.chapter_id.in_(chapter_ids)))
    }
    stakes = held(connection, [duel.duel_id for duel in found])
    return tuple(
        DuelView(
            id=duel.duel_id,
            chapter_id=duel.chapter_id,
            chapter_title=titles.get(duel.chapter_id),
            course_id=duel.course_id,
            mode=duel.mode,
            state=duel.state,
            players=tuple(PlayerView(player, _score(duel, player, viewer_id)) for player in duel.players),
            winner_id=duel.winner_id,
            points_moved=duel.points_moved,
            points_held=stakes.get(duel.duel_id, 0),
            questions=len(duel.questions),
            time_limit_seconds=duel.limit // timedelta(seconds=1),
            created_at=duel.created_at,
            expires_at=duel.expires_at,
            void_reason=duel.void_reason,
            token=duel.token,
        )
        for duel in found
    )


def _score(duel: Duel, player: UUID, viewer_id: UUID) -> int | None:
    played = duel.runs.get(player)
    if played is None or played.run.ended_at is None or (player != viewer_id and duel.state != "finished"):
        return None
    return played.run.score


def question_view(duel: Duel, user_id: UUID, now: datetime) -> QuestionView:
    """The question that waits for the player's answer."""
    run = duel.runs[user_id].run
    question = duel.questions[run.served - 1]
    return QuestionView(
        index=run.served - 1,
        total=run.questions,
        text=question.text,
        choices=question.choices,
        deadline=run.deadline,
        remaining_ms=max(0, (run.deadline - now) // timedelta(milliseconds=1)),
    )


def challenge_view(duel: Duel, chapter: ChapterWithQuiz) -> ChallengeView:
    """A challenge whose challenger has played."""
    return ChallengeView(
        challenger_id=duel.challenger_id,
        course=CourseNamed(chapter.course_id, chapter.course_slug, chapter.course_title),
        chapter=ChapterNamed(chapter.chapter_id, chapter.title),
        score=duel.runs[duel.challenger_id].run.score,
        questions=len(duel.questions),
        time_limit_seconds=duel.limit // timedelta(seconds=1),
    )


def duel_page(connection: Connection, user_id: UUID, limit: int, cursor: str | None) -> tuple[list[Duel], str | None]:
    """Some of a player's duels, newest first, and the cursor of those after. Raises `Invalid` when it is none."""
    key = (duels.c.created_at, duels.c.duel_id)
    after = true() if cursor is None else tuple_(*key) < tuple_(*read_cursor(cursor, tuple[Instant, UUID]))
    newest = union_all(
        *(
            select(*key).where(side == user_id, after).order_by(*(column.desc() for column in key)).limit(limit + 1)
            for side in (duels.c.challenger_id, duels.c.opponent_id)
        )
    ).subquery()
    ordered = select(newest).order_by(*(column.desc() for column in newest.c)).limit(limit + 1)
    rows = connection.execute(ordered).all()
    found = read(connection, [row.duel_id for row in rows[:limit]])
    following = write_cursor((rows[limit - 1].created_at, rows[limit - 1].duel_id)) if len(rows) > limit else None
    return [found[row.duel_id] for row in rows[:limit]], following


def challenge_by_token(connection: Connection, token: str) -> Duel | None:
    """The challenge with this token, as long as its challenger has an account."""
    erased = exists().where(people.c.user_id == duels.c.challenger_id, people.c.status == "erased")
    duel_id = connection.scalar(select(duels.c.duel_id).where(duels.c.token == token, ~erased))
    return None if duel_id is None else read(connection, [duel_id])[duel_id]


def accepted_by(connection: Connection, challenge_id: UUID, user_id: UUID) -> UUID | None:
    """The duel in which someone plays, or has played, against a challenge."""
    statement = select(duels.c.duel_id).where(
        duels.c.challenge_id == challenge_id, duels.c.opponent_id == user_id, duels.c.state != "void"
    )
    found: UUID | None = connection.scalar(statement)
    return found


_NOT_BEGUN = (
    "select count(*) from duels where challenger_id = :user_id and challenge_id is null and not exists ("
    "select from duel_runs where duel_runs.duel_id = duels.duel_id and duel_runs.user_id = duels.opponent_id)"
)
_OPEN = text(f"{_NOT_BEGUN} and state in ('open', 'playing')")
_UNANSWERED = text(f"{_NOT_BEGUN} and opponent_id = :rival_id and created_at > :since")


def open_challenges(connection: Connection, user_id: UUID) -> int:
    """How many duels someone has made that wait for a rival, or for a run of their own that is to be shared."""
    return int(connection.execute(_OPEN, {"user_id": user_id}).scalar_one())


def unanswered_challenges(connection: Connection, user_id: UUID, rival_id: UUID, since: datetime) -> int:
    """How many duels someone has made since then against a rival who has not begun them, whatever became of them."""
    values = {"user_id": user_id, "rival_id": rival_id, "since": since}
    return int(connection.execute(_UNANSWERED, values).scalar_one())


def running(connection: Connection, user_id: UUID, chapter_id: UUID) -> tuple[UUID, datetime] | None:
    """The duel in which someone's run on a chapter's quiz has not ended, and when it is over."""
    row = connection.execute(
        select(duel_runs.c.duel_id, duel_runs.c.over_at).where(
            duel_runs.c.user_id == user_id, duel_runs.c.chapter_id == chapter_id, duel_runs.c.ended_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else (row.duel_id, row.over_at)


_DUE = text(
    """
    select duel_id from duel_runs where ended_at is null and over_at < :now
    union
    select duel_id from duels where state in ('open', 'playing') and expires_at <= :now and (
        select count(*) from duel_runs where duel_runs.duel_id = duels.duel_id
    ) < case mode when 'live' then 2 else 1 end
    limit :limit
    """
)


def due(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Some of the duels of which time has made something."""
    return list(connection.scalars(_DUE, {"now": now, "limit": limit}))


_RIVALS = text(
    """
    select rival from (
        (select opponent_id as rival, created_at from duels
            where challenger_id = :user_id and opponent_id is not null and state = 'finished'
            order by created_at desc limit :recent)
        union all
        (select challenger_id, created_at from duels
            where opponent_id = :user_id and state = 'finished' order by created_at desc limit :recent)
    ) as met
    group by rival order by max(created_at) desc, rival limit :most
    """
)


def challenger(connection: Connection, duel_id: UUID) -> UUID:
    """Who made a duel. Raises `NotFound`."""
    found: UUID | None = connection.scalar(select(duels.c.challenger_id).where(duels.c.duel_id == duel_id))
    if found is None:
        raise NotFound
    return found


def past_rivals(connection: Connection, user_id: UUID) -> list[UUID]:
    """Those with whom someone has played to the end, the latest first."""
    values = {"user_id": user_id, "recent": RECENT_DUELS, "most": MOST_RIVALS}
    return list(connection.scalars(_RIVALS, values))


def squad_mates(connection: Connection, user_id: UUID) -> list[UUID]:
    """Those who are now in the same squad, who joined last first; of a large one not all."""
    own = select(memberships.c.squad_id).where(memberships.c.user_id == user_id, memberships.c.left_at.is_(None))
    statement = (
        select(memberships.c.user_id)
        .where(memberships.c.squad_id.in_(own), memberships.c.left_at.is_(None), memberships.c.user_id != user_id)
        .order_by(memberships.c.joined_at.desc(), memberships.c.user_id)
        .limit(MATES_MAX)
    )
    return list(connection.scalars(statement))
