"""Duels: chapters and quizzes are known from catalog's events; runs, answers, stakes, and who was served which quiz."""

from alembic import op

revision = "gamification_0004"
down_revision = "gamification_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.execute(
        """
        create table chapter_copies (
            chapter_id uuid primary key,
            course_id uuid not null references course_copies (course_id),
            title text not null
        )
        """
    )
    op.execute("create index chapter_copies_of_course on chapter_copies (course_id)")
    op.execute(
        """
        create table quiz_copies (
            chapter_id uuid primary key,
            sequence bigint not null,
            time_limit_seconds integer not null,
            questions jsonb not null
        )
        """
    )
    op.execute(
        """
        create table duels (
            duel_id uuid primary key,
            challenge_id uuid references duels (duel_id),
            mode text not null,
            state text not null,
            chapter_id uuid not null,
            course_id uuid not null,
            challenger_id uuid not null,
            opponent_id uuid,
            for_honour boolean not null,
            token text unique,
            time_limit_seconds integer,
            questions jsonb,
            sequence bigint not null,
            created_at timestamptz not null,
            expires_at timestamptz not null,
            ended_at timestamptz,
            winner_id uuid,
            points_moved integer not null default 0,
            void_reason text,
            constraint duels_players_check check (challenger_id <> opponent_id),
            constraint duels_mode_check check (
                case
                when mode = 'live' then num_nulls(challenge_id, token) = 2 and num_nulls(opponent_id, questions) = 0
                when mode = 'link' and challenge_id is null then opponent_id is null and num_nulls(token, questions) = 0
                when mode = 'link' then opponent_id is not null and num_nulls(token, questions) = 2
                else false end
            ),
            constraint duels_quiz_check check (num_nulls(time_limit_seconds, questions) in (0, 2)),
            constraint duels_state_check check (
                state in ('open', 'playing', 'finished', 'void')
                and (ended_at is not null) = (state in ('finished', 'void'))
                and (void_reason is not null) = (state = 'void')
            ),
            constraint duels_void_reason_check check (void_reason in ('declined', 'expired')),
            constraint duels_winner_check check (
                winner_id is null or (state = 'finished' and winner_id in (challenger_id, opponent_id))
            ),
            constraint duels_points_moved_check check (
                points_moved between 0 and 50 and (points_moved = 0 or (winner_id is not null and mode = 'live'))
            )
        )
        """
    )
    op.execute("create unique index duels_once on duels (challenge_id, opponent_id) where state <> 'void'")
    op.execute("create index duels_of_challenger on duels (challenger_id, created_at, duel_id)")
    op.execute("create index duels_of_opponent on duels (opponent_id, created_at, duel_id)")
    op.execute("create index duels_unfinished on duels (expires_at) where state in ('open', 'playing')")
    op.execute(
        """
        create table duel_runs (
            duel_id uuid not null references duels (duel_id),
            user_id uuid not null references students (user_id),
            chapter_id uuid not null,
            time_zone text not null,
            started_at timestamptz not null,
            served integer not null,
            served_at timestamptz not null,
            over_at timestamptz not null,
            ended_at timestamptz,
            score integer,
            primary key (duel_id, user_id),
            constraint duel_runs_served_check check (served > 0),
            constraint duel_runs_order_check check (started_at <= served_at and served_at <= over_at),
            constraint duel_runs_score_check check (
                (score is null) = (ended_at is null) and score between 0 and 1000
            )
        )
        """
    )
    op.execute("create unique index duel_runs_one_at_a_time on duel_runs (user_id, chapter_id) where ended_at is null")
    op.execute("create index duel_runs_running on duel_runs (over_at) where ended_at is null")
    op.execute(
        """
        create table duel_answers (
            duel_id uuid not null,
            user_id uuid not null,
            question integer not null,
            choice integer,
            marks integer not null,
            settled_at timestamptz not null,
            primary key (duel_id, user_id, question),
            constraint duel_answers_run_fkey foreign key (duel_id, user_id) references duel_runs (duel_id, user_id),
            constraint duel_answers_question_check check (question >= 0),
            constraint duel_answers_marks_check check (
                marks between 0 and 1000 and (choice is not null or marks = 0)
            )
        )
        """
    )
    op.execute(
        """
        create table served_quizzes (
            user_id uuid not null references students (user_id),
            chapter_id uuid not null,
            duel_id uuid not null references duels (duel_id),
            served_at timestamptz not null,
            primary key (user_id, chapter_id)
        )
        """
    )
    op.execute(
        """
        create table duel_stakes (
            duel_id uuid primary key references duels (duel_id),
            challenger_id uuid not null references students (user_id),
            opponent_id uuid not null references students (user_id),
            week text not null,
            points integer not null,
            held_at timestamptz not null,
            released_at timestamptz,
            winner_id uuid,
            constraint duel_stakes_players_check check (challenger_id <> opponent_id),
            constraint duel_stakes_points_check check (points between 1 and 50),
            constraint duel_stakes_winner_check check (
                winner_id is null or (released_at is not null and winner_id in (challenger_id, opponent_id))
            )
        )
        """
    )
    op.execute("create index duel_stakes_of_challenger on duel_stakes (challenger_id, week)")
    op.execute("create index duel_stakes_of_opponent on duel_stakes (opponent_id, week)")
