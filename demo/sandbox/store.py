"""What the sandbox remembers: Stripe's objects as they would be answered, in one SQLite file."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    payment_intent TEXT,
    charge TEXT,
    type TEXT,
    status TEXT,
    expires_at INTEGER,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, number);
CREATE INDEX IF NOT EXISTS objects_by_payment_intent ON objects (payment_intent, kind);
CREATE INDEX IF NOT EXISTS objects_that_expire ON objects (expires_at) WHERE status = 'open';
CREATE TABLE IF NOT EXISTS details (
    session_id TEXT PRIMARY KEY REFERENCES objects (id),
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL REFERENCES objects (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'kept')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    said TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_that_wait ON deliveries (due_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, is_on INTEGER NOT NULL);
"""

FILTERS = ("payment_intent", "charge", "type", "status")
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
WEBHOOKS = "webhooks"


@dataclass(frozen=True)
class Delivery:
    """An event on its way to the academy. `due_at` is in epoch seconds, `said` what the last attempt was answered."""

    number: int
    event_id: str
    state: str
    attempts: int
    due_at: float
    said: str | None


@dataclass(frozen=True)
class Answer:
    """What was answered to a request with an idempotency key."""

    request: str
    status: int
    body: Body


class Store:
    """The objects and what is to be told of them; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)
        self._turn = threading.RLock()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes within the block, or none; blocks of other threads wait. Blocks may not be nested."""
        with self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def put(self, body: Body) -> Body:
        """Keep an object, new or changed, and return it."""
        named = [body.get(name) for name in ("created", "payment_intent", "charge", "type", "status", "expires_at")]
        self._run(
            "INSERT INTO objects (id, kind, created, payment_intent, charge, type, status, expires_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " payment_intent = excluded.payment_intent, status = excluded.status, body = excluded.body",
            body["id"],
            body["object"],
            *named,
            json.dumps(body),
        )
        return body

    def get(self, kind: str, identifier: str) -> Body | None:
        """Return the object of this kind and id, or None."""
        found = self._rows("SELECT body FROM objects WHERE id = ? AND kind = ?", identifier, kind)
        return json.loads(found[0]["body"]) if found else None

    def find(self, identifier: str) -> Body | None:
        """Return the object with this id, whatever its kind, or None."""
        found = self._rows("SELECT body FROM objects WHERE id = ?", identifier)
        return json.loads(found[0]["body"]) if found else None

    def page(
        self,
        kind: str,
        limit: int,
        *,
        after: str | None = None,
        created: Mapping[str, int] | None = None,
        **filters: str | None,
    ) -> tuple[list[Body], bool]:
        """Return objects, newest first, from behind `after` on, and whether there are more.

        `created` holds bounds by Stripe's names (gt, gte, lt, lte); `filters` are FILTERS.
        """
        conditions: list[str] = ["kind = ?"]
        values: list[Any] = [kind]
        for name in FILTERS:
            if filters.get(name) is not None:
                conditions.append(f"{name} = ?")
                values.append(filters[name])
        for bound, value in (created or {}).items():
            conditions.append(f"created {COMPARISONS[bound]} ?")
            values.append(value)
        if after is not None:
            conditions.append("number < (SELECT number FROM objects WHERE id = ?)")
            values.append(after)
        statement = f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?"  # noqa: S608
        found = [json.loads(row["body"]) for row in self._rows(statement, *values, limit + 1)]
        return found[:limit], len(found) > limit

    def counts(self) -> dict[str, int]:
        """Return how many objects there are of each kind."""
        return {row["kind"]: row["n"] for row in self._rows("SELECT kind, count(*) AS n FROM objects GROUP BY kind")}

    def expiring(self, now: int) -> list[str]:
        """Return the ids of the open sessions whose time is over."""
        statement = "SELECT id FROM objects WHERE status = 'open' AND expires_at <= ?"
        return [row["id"] for row in self._rows(statement, now)]

    def put_details(self, session_id: str, body: Body) -> None:
        """Keep what a session does not show of itself."""
        self._run("INSERT INTO details VALUES (?, ?)", session_id, json.dumps(body))

    def details(self, session_id: str) -> Body:
        """Return what a session does not show of itself."""
        found = self._rows("SELECT body FROM details WHERE session_id = ?", session_id)
        details: Body = json.loads(found[0]["body"])
        return details

    def put_answer(self, key: str, answer: Answer) -> None:
        """Keep what was answered under an idempotency key."""
        values = (key, answer.request, answer.status, json.dumps(answer.body))
        self._run("INSERT INTO answers VALUES (?, ?, ?, ?)", *values)

    def answer(self, key: str) -> Answer | None:
        """Return what was answered under an idempotency key, or None."""
        found = self._rows("SELECT request, status, body FROM answers WHERE key = ?", key)
        return Answer(found[0]["request"], found[0]["status"], json.loads(found[0]["body"])) if found else None

    def deliver(self, event_id: str, due_at: float) -> None:
        """Let an event be sent to the academy; while webhooks are off it is only kept."""
        state = "waiting" if self.is_on(WEBHOOKS) else "kept"
        self._run("INSERT INTO deliveries (event_id, state, due_at) VALUES (?, ?, ?)", event_id, state, due_at)

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries in the order of what happened."""
        return [Delivery(*row) for row in self._rows(f"{_DELIVERIES} ORDER BY number")]

    def due_deliveries(self, now: float, limit: int) -> list[Delivery]:
        """Return deliveries to be attempted now, the longest due first."""
        statement = f"{_DELIVERIES} WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, number LIMIT ?"
        return [Delivery(*row) for row in self._rows(statement, now, limit)]

    def attempted(self, number: int, state: str, due_at: float, said: str) -> None:
        """Write down how an attempt to deliver went, and when the next one is due."""
        statement = "UPDATE deliveries SET state = ?, due_at = ?, said = ?, attempts = attempts + 1 WHERE number = ?"
        self._run(statement, state, due_at, said, number)

    def is_on(self, switch: str) -> bool:
        """Return whether a switch is on; all are at first."""
        found = self._rows("SELECT is_on FROM switches WHERE name = ?", switch)
        return not found or bool(found[0]["is_on"])

    def turn(self, switch: str, is_on: bool) -> None:
        """Turn a switch on or off."""
        self._run("INSERT OR REPLACE INTO switches VALUES (?, ?)", switch, is_on)

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._connection.close()

    def _run(self, statement: str, *values: Any) -> None:
        with self._turn:
            self._connection.execute(statement, values)

    def _rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._turn:
            return self._connection.execute(statement, values).fetchall()


_DELIVERIES = "SELECT number, event_id, state, attempts, due_at, said FROM deliveries"
