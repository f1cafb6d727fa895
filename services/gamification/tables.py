"""The tables of the game.

Whoever changes anything of a student first locks the student's row, rows sorted by `user_id`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

students = Table(
    "students",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("xp", BigInteger, nullable=False, server_default=text("0")),
    Column("points", BigInteger, nullable=False, server_default=text("0")),
    Column("points_held", BigInteger, nullable=False, server_default=text("0")),
    Column("streak_current", Integer, nullable=False, server_default=text("0")),
    Column("streak_longest", Integer, nullable=False, server_default=text("0")),
    Column("streak_one_zone", Boolean, nullable=False, server_default=text("true")),
    Column("learned_at", DateTime(timezone=True)),
    Column("learned_on", Date),
    Column("learned_in", Text),
    CheckConstraint("xp >= 0", name="students_xp_check"),
    CheckConstraint("points >= 0", name="students_points_check"),
    CheckConstraint("points_held >= 0", name="students_points_held_check"),
    CheckConstraint("streak_current between 0 and streak_longest", name="students_streak_check"),
    CheckConstraint(
        "num_nulls(learned_at, learned_on, learned_in) = case when streak_current = 0 then 3 else 0 end",
        name="students_learned_check",
    ),
)
"""What a student has, and the streak as of the last learning (`learned_*`).

`xp` is the sum of the ledger's; `points` can be spent, and with `points_held`, the stakes of duels, they are its sum.
"""

people = Table(
    "people",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("email_verified_at", DateTime(timezone=True)),
)
"""What is known of accounts from their events; at `email_verified_at` the e-mail was first known to be verified."""

course_copies = Table(
    "course_copies",
    metadata,
    Column("course_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("instructor_id", Uuid, nullable=False),
    Column("unlock_streak_days", Integer),
)
"""Catalog's courses as their newest event left them; a tombstone has the status "deleted"."""

ledger = Table(
    "ledger",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("source_id", Uuid, primary_key=True),
    Column("xp", Integer, nullable=False),
    Column("points", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("hasty_on", Date),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("kind in ('lesson', 'course', 'duel_won', 'duel_lost', 'purchase')", name="ledger_kind_check"),
    CheckConstraint("xp >= 0", name="ledger_xp_check"),
)
"""What each thing gave, once; rows are only added. `hasty_on` is the local date of a hasty completion that earned."""

Index("ledger_by_time", ledger.c.user_id, ledger.c.at)
Index("ledger_hasty", ledger.c.user_id, ledger.c.hasty_on, postgresql_where=ledger.c.hasty_on.is_not(None))

learning_days = Table(
    "learning_days",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("local_date", Date, primary_key=True),
    Column("time_zone", Text, primary_key=True),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("first_at <= last_at", name="learning_days_order_check"),
)
"""The local dates on which a student learned, by time zone; `first_at` and `last_at` only ever widen."""

chapter_copies = Table(
    "chapter_copies",
    metadata,
    Column("chapter_id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("course_copies.course_id"), nullable=False),
    Column("title", Text, nullable=False),
)
"""The chapters that the courses of `course_copies` have."""

Index("chapter_copies_of_course", chapter_copies.c.course_id)

quiz_copies = Table(
    "quiz_copies",
    metadata,
    Column("chapter_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("time_limit_seconds", Integer, nullable=False),
    Column("questions", JSONB, nullable=False),
)
"""Catalog's quizzes as their newest event left them; one that is gone has no questions."""

duels = Table(
    "duels",
    metadata,
    Column("duel_id", Uuid, primary_key=True),
    Column("challenge_id", Uuid, ForeignKey("duels.duel_id")),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("chapter_id", Uuid, nullable=False),
    Column("course_id", Uuid, nullable=False),
    Column("challenger_id", Uuid, nullable=False),
    Column("opponent_id", Uuid),
    Column("for_honour", Boolean, nullable=False),
    Column("token", Text, unique=True),
    Column("time_limit_seconds", Integer),
    Column("questions", JSONB(none_as_null=True)),
    Column("sequence", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("winner_id", Uuid),
    Column("points_moved", Integer, nullable=False, server_default=text("0")),
    Column("void_reason", Text),
    CheckConstraint("challenger_id <> opponent_id", name="duels_players_check"),
    CheckConstraint(
        "case when mode = 'live' then num_nulls(challenge_id, token) = 2 and num_nulls(opponent_id, questions) = 0 "
        "when mode = 'link' and challenge_id is null then opponent_id is null and num_nulls(token, questions) = 0 "
        "when mode = 'link' then opponent_id is not null and num_nulls(token, questions) = 2 "
        "else false end",
        name="duels_mode_check",
    ),
    CheckConstraint("num_nulls(time_limit_seconds, questions) in (0, 2)", name="duels_quiz_check"),
    CheckConstraint(
        "state in ('open', 'playing', 'finished', 'void') "
        "and (ended_at is not null) = (state in ('finished', 'void')) "
        "and (void_reason is not null) = (state = 'void')",
        name="duels_state_check",
    ),
    CheckConstraint("void_reason in ('declined', 'expired')", name="duels_void_reason_check"),
    CheckConstraint(
        "winner_id is null or (state = 'finished' and winner_id in (challenger_id, opponent_id))",
        name="duels_winner_check",
    ),
    CheckConstraint(
        "points_moved between 0 and 50 and (points_moved = 0 or (winner_id is not null and mode = 'live'))",
        name="duels_points_moved_check",
    ),
)
"""Duels, each with the quiz as it was when the duel was made.

A challenge, to be shared as a link, is a duel of mode "link" in which the challenger plays alone. Who accepts it has a
duel of their own, which names the challenge and takes from it the quiz and the challenger's run.
"""

Index("duels_once", duels.c.challenge_id, duels.c.opponent_id, unique=True, postgresql_where=duels.c.state != "void")
Index("duels_of_challenger", duels.c.challenger_id, duels.c.created_at, duels.c.duel_id)
Index("duels_of_opponent", duels.c.opponent_id, duels.c.created_at, duels.c.duel_id)
Index("duels_unfinished", duels.c.expires_at, postgresql_where=duels.c.state.in_(("open", "playing")))

duel_runs = Table(
    "duel_runs",
    metadata,
    Column("duel_id", Uuid, ForeignKey("duels.duel_id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("chapter_id", Uuid, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("served", Integer, nullable=False),
    Column("served_at", DateTime(timezone=True), nullable=False),
    Column("over_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("score", Integer),
    CheckConstraint("served > 0", name="duel_runs_served_check"),
    CheckConstraint("started_at <= served_at and served_at <= over_at", name="duel_runs_order_check"),
    CheckConstraint("(score is null) = (ended_at is null) and score between 0 and 1000", name="duel_runs_score_check"),
)
"""A player's run, from the first question served; at `over_at` it is over unless the player does something.

`time_zone` is where the player last was. Nobody has two runs on the quiz of a chapter at a time: in one of them they
would learn the answers to the other.
"""

Index(
    "duel_runs_one_at_a_time",
    duel_runs.c.user_id,
    duel_runs.c.chapter_id,
    unique=True,
    postgresql_where=duel_runs.c.ended_at.is_(None),
)
Index("duel_runs_running", duel_runs.c.over_at, postgresql_where=duel_runs.c.ended_at.is_(None))

duel_answers = Table(
    "duel_answers",
    metadata,
    Column("duel_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("question", Integer, primary_key=True),
    Column("choice", Integer),
    Column("marks", Integer, nullable=False),
    Column("settled_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["duel_id", "user_id"], ["duel_runs.duel_id", "duel_runs.user_id"], name="duel_answers_run_fkey"
    ),
    CheckConstraint("question >= 0", name="duel_answers_question_check"),
    CheckConstraint("marks between 0 and 1000 and (choice is not null or marks = 0)", name="duel_answers_marks_check"),
)
"""What became of each question of a run; no choice where its time was over."""

served_quizzes = Table(
    "served_quizzes",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("chapter_id", Uuid, primary_key=True),
    Column("duel_id", Uuid, ForeignKey("duels.duel_id"), nullable=False),
    Column("served_at", DateTime(timezone=True), nullable=False),
)
"""In which duel a student was first served a question of a chapter's quiz, however it was edited since; for good."""

duel_stakes = Table(
    "duel_stakes",
    metadata,
    Column("duel_id", Uuid, ForeignKey("duels.duel_id"), primary_key=True),
    Column("challenger_id", Uuid, ForeignKey("students.user_id"), nullable=False),
    Column("opponent_id", Uuid, ForeignKey("students.user_id"), nullable=False),
    Column("week", Text, nullable=False),
    Column("points", Integer, nullable=False),
    Column("held_at", DateTime(timezone=True), nullable=False),
    Column("released_at", DateTime(timezone=True)),
    Column("winner_id", Uuid),
    CheckConstraint("challenger_id <> opponent_id", name="duel_stakes_players_check"),
    CheckConstraint("points between 1 and 50", name="duel_stakes_points_check"),
    CheckConstraint(
        "winner_id is null or (released_at is not null and winner_id in (challenger_id, opponent_id))",
        name="duel_stakes_winner_check",
    ),
)
"""What both players of a duel for points laid down; on a draw each took it back, else the winner has both.

`week` is the ISO week, in the academy's time zone, of the second player's start.
"""

Index("duel_stakes_of_challenger", duel_stakes.c.challenger_id, duel_stakes.c.week)
Index("duel_stakes_of_opponent", duel_stakes.c.opponent_id, duel_stakes.c.week)
