"""Passwords as Argon2id hashes: 19 MiB and two passes (OWASP's minimum), at most two at once in a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from contracts.errors import Unavailable

MEMORY_KIB = 19 * 1024
PASSES = 2
AT_ONCE = 2
WAITING = 6
PATIENCE_SECONDS = 2.0

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)


class Passwords:
    """Hashes and checks passwords. Raises `Unavailable` when too many are waiting, rather than hold every thread."""

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE_SECONDS) -> None:
        self._running = threading.Semaphore(at_once)
        self._admitted = threading.Semaphore(at_once + waiting)
        self._patience = patience
        self._nobody = _hash_of_nobody()

    def hash(self, password: str) -> str:
        """The password as it is stored."""
        with self._turn():
            return _hasher.hash(password)

    def check(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the right one; without a hash it never is, which takes as long to find out."""
        with self._turn():
            try:
                _hasher.verify(password_hash or self._nobody, password)
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
        return password_hash is not None

    def is_weak(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return _hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Unavailable("busy", members={"retry_after": 1})
        try:
            if not self._running.acquire(timeout=self._patience):
                raise Unavailable("busy", members={"retry_after": 1})
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._admitted.release()


@cache
def _hash_of_nobody() -> str:
    """A hash to check passwords against where there is none, once in a process."""
    return _hasher.hash("nobody has this password")
