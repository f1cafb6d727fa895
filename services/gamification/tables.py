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
from sqlalchemy.dialects.postgresql import ARRAY

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
At `look_at` something may have to be told of the streak.
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
    CheckConstraint("kind <> 'purchase' or (xp = 0 and points < 0)", name="ledger_purchase_check"),
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
