"""Idempotency keys: the same POST with the same key is carried out once, and answered the same for a day.

The claim is a row committed before the work begins; a process that dies leaves a claim that ends by itself. Answers are
sealed, since they may hold tokens. Faults and refusals that say "later" are not kept.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from flask import Request, Response
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Database
from contracts.errors import Conflict, FieldError, Invalid
from gateway.sealing import BrokenSeal, seal, unseal
from gateway.tables import idempotency_keys as keys

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
RUNNING = timedelta(seconds=30)
"""Longer than any request lasts: a claim older than that is a dead process's."""

_LONGEST = 200
_KEPT_HEADERS = ("Content-Type", "Content-Language", "Location", "ETag", "Cache-Control")
_NOT_KEPT = frozenset({401, 408, 429})


@dataclass(frozen=True)
class Claim:
    """One request's identity: who asks (`scope`), for what (`route`), under which key, with which content."""

    scope: str
    route: str
    key: str
    owner: UUID
    fingerprint: bytes


def request_id(request: Request, user_id: UUID) -> UUID:
    """An id of what this person asks: the same for the same key, so that a service can tell a repetition by it."""
    key = request.headers.get(HEADER)
    return uuid4() if key is None else uuid5(user_id, f"{request.path} {key}")


class IdempotencyKeys:
    """Remembers answers by key. `secrets` seal them: the first for new ones, all for reading."""

    def __init__(self, database: Database, secrets: tuple[bytes, ...], now: Callable[[], datetime]) -> None:
        self._database = database
        self._secrets = secrets
        self._now = now

    def answer(self, request: Request, scope: str, run: Callable[[], Response]) -> Response:
        """What `run` answers or answered before. Raises `Conflict` while it runs, `Invalid` for another body."""
        key = request.headers[HEADER]
        if not 1 <= len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
            raise Invalid(errors=(FieldError(f"/{HEADER}", "idempotency-key"),))
        claim = Claim(scope, request.path, key, uuid4(), self._fingerprint(request))
        kept = self._claim(claim)
        if kept is not None:
            return kept
        try:
            response = run()
        except BaseException:
            self._forget(claim)
            raise
        if response.status_code >= 500 or response.status_code in _NOT_KEPT:
            self._forget(claim)
        else:
            self._keep(claim, response)
        return response

    def _claim(self, claim: Claim) -> Response | None:
        now = self._now()
        values = {
            "owner": claim.owner,
            "fingerprint": claim.fingerprint,
            "running_until": now + RUNNING,
            "expires_at": now + KEPT,
            "status": None,
            "headers": None,
            "body": None,
        }
        mine = (keys.c.scope == claim.scope) & (keys.c.route == claim.route) & (keys.c.key == claim.key)
        with self._database.unit_of_work() as unit_of_work:
            claimed = unit_of_work.connection.execute(
                insert(keys)
                .values(scope=claim.scope, route=claim.route, key=claim.key, **values)
                .on_conflict_do_update(
                    index_elements=[keys.c.scope, keys.c.route, keys.c.key],
                    set_=values,
                    where=or_(keys.c.expires_at <= now, keys.c.status.is_(None) & (keys.c.running_until <= now)),
                )
                .returning(keys.c.owner)
            ).one_or_none()
            if claimed is not None:
                return None
            row = unit_of_work.connection.execute(select(keys).where(mine)).one_or_none()
        if row is None:
            raise Conflict("request-in-progress")
        if not hmac.compare_digest(row.fingerprint, claim.fingerprint):
            raise Invalid("idempotency-key-reused")
        if row.status is None:
            raise Conflict("request-in-progress")
        response = Response(self._unseal(row.body), status=row.status, headers=row.headers)
        response.headers["Idempotent-Replayed"] = "true"
        return response

    def _keep(self, claim: Claim, response: Response) -> None:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        body = seal(self._secrets[0], response.get_data())
        with self._database.single_statement() as unit_of_work:
            unit_of_work.connection.execute(
                update(keys)
                .where(keys.c.scope == claim.scope, keys.c.route == claim.route, keys.c.key == claim.key)
                .where(keys.c.owner == claim.owner)
                .values(status=response.status_code, headers=headers, body=body)
            )

    def _forget(self, claim: Claim) -> None:
        with self._database.single_statement() as unit_of_work:
            unit_of_work.connection.execute(
                delete(keys).where(
                    keys.c.scope == claim.scope,
                    keys.c.route == claim.route,
                    keys.c.key == claim.key,
                    keys.c.owner == claim.owner,
                )
            )

    def _unseal(self, body: bytes) -> bytes:
        for secret in self._secrets:
            try:
                return unseal(secret, body)
            except BrokenSeal:
                continue
        raise Conflict("request-in-progress")

    def _fingerprint(self, request: Request) -> bytes:
        """A keyed digest of the content: bodies hold passwords, which a plain digest would give away."""
        content = hmac.new(self._secrets[-1], digestmod=hashlib.sha256)
        content.update(request.query_string + b"\n" + request.mimetype.encode() + b"\n")
        if request.mimetype == "multipart/form-data":
            # the boundary is another one in each attempt
            for name, value in sorted(request.form.items(multi=True)):
                content.update(repr((name, value)).encode())
            for name, file in sorted(request.files.items(multi=True), key=lambda item: item[0]):
                content.update(repr((name, file.filename)).encode() + hashlib.sha256(file.read()).digest())
                file.seek(0)
        else:
            content.update(request.get_data(cache=True))
        return content.digest()
