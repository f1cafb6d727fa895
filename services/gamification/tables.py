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
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

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
    Column("lessons", Integer, nullable=False, server_default=text("0")),
    Column("leaderboard_opt_out", Boolean, nullable=False, server_default=text("false")),
    Column("badges_known", Boolean, nullable=False, server_default=text("true")),
    Column("freezes", Integer, nullable=False, server_default=text("0")),
    Column("late_freezes", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("look_at", DateTime(timezone=True)),
    CheckConstraint("xp >= 0", name="students_xp_check"),
    CheckConstraint("points >= 0", name="students_points_check"),
    CheckConstraint("points_held >= 0", name="students_points_held_check"),
    CheckConstraint("streak_current between 0 and streak_longest", name="students_streak_check"),
    CheckConstraint(
        "num_nulls(learned_at, learned_on, learned_in) = case when streak_current = 0 then 3 else 0 end",
        name="students_learned_check",
    ),
    CheckConstraint("freezes >= 0 and 0 < all (late_freezes)", name="students_freezes_check"),
    CheckConstraint("late_freezes = '{}' or learned_at is not null", name="students_late_freezes_check"),
    CheckConstraint("look_at is null or learned_at is not null", name="students_look_at_check"),
    Index("students_to_look_at", "look_at", postgresql_where=text("look_at is not null")),
)
"""What a student has, and the streak as of the last learning (`learned_*`), with the freezes bought since.

`xp` is the sum of the ledger's; `points` can be spent, and with `points_held`, the stakes of duels, they are its sum.
`lessons` counts the ledger's. Who is not `badges_known` may have earned badges before those were there.
At `look_at` something may have to be told of the streak.
"""

Index("students_badges_unknown", students.c.user_id, postgresql_where=~students.c.badges_known)

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
    Column("squad_id", Uuid, ForeignKey("squads.squad_id")),
    CheckConstraint("kind in ('lesson', 'course', 'duel_won', 'duel_lost', 'purchase')", name="ledger_kind_check"),
    CheckConstraint("xp >= 0", name="ledger_xp_check"),
    CheckConstraint("kind <> 'purchase' or (xp = 0 and points < 0)", name="ledger_purchase_check"),
)
"""What each thing gave, once; rows are only added. `hasty_on` is the local date of a hasty completion that earned.

`squad_id` is the squad in which the student was at that instant: its score has the XP for ever.
"""

Index("ledger_by_time", ledger.c.user_id, ledger.c.at)
Index("ledger_of_squad", ledger.c.squad_id, ledger.c.at, postgresql_where=ledger.c.squad_id.is_not(None))
Index("ledger_earned", ledger.c.at, postgresql_where=ledger.c.xp > 0)
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

squads = Table(
    "squads",
    metadata,
    Column("squad_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("motto", Text, nullable=False),
    Column("official", Boolean, nullable=False),
    Column("creator_id", Uuid, nullable=False),
    Column("captain_id", Uuid),
    Column("members", Integer, nullable=False),
    Column("hidden", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_in", Text),
    CheckConstraint("(closed_at is null) = (closed_in is null)", name="squads_closed_check"),
    CheckConstraint("members >= 0 and (official or members <= 50)", name="squads_members_check"),
    CheckConstraint(
        "case when official then captain_id is null and closed_at is null "
        "else (members > 0) = (closed_at is null) and (captain_id is null) = (closed_at is not null) end",
        name="squads_captain_check",
    ),
)
"""Squads; one that its last member left is closed, since the week `closed_in`. Official ones have no captain or end."""

Index("squads_name_key", squads.c.name_key, unique=True, postgresql_where=squads.c.closed_at.is_(None))

memberships = Table(
    "memberships",
    metadata,
    Column("membership_id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("students.user_id"), nullable=False),
    Column("squad_id", Uuid, ForeignKey("squads.squad_id"), nullable=False),
    Column("joined_at", DateTime(timezone=True), nullable=False),
    Column("left_at", DateTime(timezone=True)),
    Column("removed", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("left_at >= joined_at", name="memberships_order_check"),
    CheckConstraint("left_at is not null or not removed", name="memberships_removed_check"),
)
"""Who was in which squad from when to when; `removed` says that the captain ended it."""

Index("memberships_one_squad", memberships.c.user_id, unique=True, postgresql_where=memberships.c.left_at.is_(None))
Index(
    "memberships_of_squad",
    memberships.c.squad_id,
    memberships.c.joined_at,
    memberships.c.user_id,
    postgresql_where=memberships.c.left_at.is_(None),
)
Index("memberships_of_user", memberships.c.user_id, memberships.c.joined_at)

standings = Table(
    "standings",
    metadata,
    Column("holder_id", Uuid, primary_key=True),
    Column("board", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("score", BigInteger, nullable=False),
    Column("reached_at", DateTime(timezone=True), nullable=False),
    Column("listed", Boolean, nullable=False),
    CheckConstraint("board in ('students', 'squads', 'official')", name="standings_board_check"),
    CheckConstraint("period = 'all' or period ~ '^[0-9]{4}-W[0-9]{2}$'", name="standings_period_check"),
    CheckConstraint("score > 0", name="standings_score_check"),
)
"""The XP of students and squads in each period, and when the last of it was earned; triggers tell `rank_changes`.

Who is `listed` is said by the database's function `is_listed`: not the erased, nor those who opted out, nor hidden
squads, nor closed ones from the week on in which they closed.
"""

Index(
    "standings_in_order",
    standings.c.board,
    standings.c.period,
    standings.c.score.desc(),
    standings.c.reached_at,
    standings.c.holder_id,
    postgresql_where=standings.c.listed,
)

rank_totals = Table(
    "rank_totals",
    metadata,
    Column("board", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("score", BigInteger, primary_key=True),
    Column("holders", BigInteger, nullable=False),
)
"""How many listed holders have each score, but for what still waits in `rank_changes`."""

rank_spans = Table(
    "rank_spans",
    metadata,
    Column("board", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("score", BigInteger, primary_key=True),
    Column("reached_from", DateTime(timezone=True), primary_key=True),
    Column("holders", BigInteger, nullable=False),
)
"""The same by the span of time in which they reached it: of thousands with one score, a rank needs those of one span.

The database's function `span_of` says which: an hour of a week, a day of all time.
"""

Index("rank_totals_empty", rank_totals.c.board, postgresql_where=rank_totals.c.holders == 0)
Index("rank_spans_empty", rank_spans.c.board, postgresql_where=rank_spans.c.holders == 0)

rank_changes = Table(
    "rank_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("board", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("score", BigInteger, nullable=False),
    Column("reached_from", DateTime(timezone=True), nullable=False),
    Column("holders", BigInteger, nullable=False),
)
"""What changed in the numbers of holders: added without waiting for anybody, and summed up every second."""

Index("rank_changes_by_score", rank_changes.c.board, rank_changes.c.period, rank_changes.c.score)

squads_of_the_week = Table(
    "squads_of_the_week",
    metadata,
    Column("week", Text, primary_key=True),
    Column("squad_id", Uuid, ForeignKey("squads.squad_id")),
    Column("chosen_at", DateTime(timezone=True), nullable=False),
    Column("awarded_squad_id", Uuid, ForeignKey("squads.squad_id")),
    Column("doubtful", Boolean, nullable=False, server_default=text("false")),
)
"""Which squad won each finished week, as a recount finds; no squad where none could. A `doubtful` one is chosen anew.

`awarded_squad_id` is the one whose members were given the badge last: another than `squad_id` until they are.
"""

badge_awards = Table(
    "badge_awards",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("earned_at", DateTime(timezone=True), nullable=False),
)
"""The badges of students, each once per reason; a milestone's reason is its code. `earned_at` only moves back."""
purchases = Table(
    "purchases",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("purchase_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False, server_default=text("'purchase'")),
    Column("item", Text, nullable=False),
    Column("bought_at", DateTime(timezone=True), nullable=False),
    Column("time_zone", Text, nullable=False),
    ForeignKeyConstraint(["user_id", "kind", "purchase_id"], ["ledger.user_id", "ledger.kind", "ledger.source_id"]),
    CheckConstraint("kind = 'purchase'", name="purchases_kind_check"),
    CheckConstraint("item in ('streak_freeze')", name="purchases_item_check"),
)
"""What students bought in the shop, each paid for by the row of the ledger with its id."""

streak_notices = Table(
    "streak_notices",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("local_date", Date, primary_key=True),
    CheckConstraint("kind in ('frozen', 'endangered')", name="streak_notices_kind_check"),
)
"""The days of which it was told that a freeze saved them, or that the streak is in danger: each once."""

unlocked_courses = Table(
    "unlocked_courses",
    metadata,
    Column("user_id", Uuid, ForeignKey("students.user_id"), primary_key=True),
    Column("course_id", Uuid, primary_key=True),
    Column("unlocked_at", DateTime(timezone=True), nullable=False),
)
"""The bonus courses that students' streaks have opened, for good."""

unlock_sweeps = Table(
    "unlock_sweeps",
    metadata,
    Column("course_id", Uuid, ForeignKey("course_copies.course_id"), primary_key=True),
    Column("after", Uuid),
)
"""Bonus courses that students whose streaks are long enough already do not have yet; done up to student `after`."""
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
