"""What one process of the gateway holds besides the app: connections, the relay, the listener, housekeeping."""

import errno
import gc
import threading
from datetime import datetime

from sqlalchemy import delete, exists, select, text

from chassis import health
from chassis.bus.listener import EventListener
from chassis.bus.relay import Relay
from chassis.clock import now
from chassis.database import Database
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from chassis.telemetry import get_logger
from contracts.topology import GATEWAY_CACHE_EVENTS, GATEWAY_LIVE_EVENTS
from gateway.app import create_app
from gateway.dependencies import Dependencies
from gateway.domain.sessions import REFRESH_LIFETIME
from gateway.tables import idempotency_keys, mailed_tokens, rate_limits, refresh_tokens, sessions, stream_tickets
from gateway.upstream import Upstream

SERVICES = ("accounts", "catalog", "progress", "purchase", "gamification", "analytics", "notification")
HOUSEKEEPING_SECONDS = 300.0

STATEMENT_SECONDS = 2.0
"""Somebody waits for each statement of a request, and is to be told within 3 s that the accounts do not answer."""

_NOBODY_WAITS = text("set local statement_timeout = '60s'")
_SESSIONS_AT_ONCE = 1_000
_PORTS_TRIED = 16
_GARBAGE_THRESHOLD = 20_000

_log = get_logger("gateway")


class Process:
    """One worker: `start` it before its first request, `stop` it after its last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(
            settings.database_url_for("accounts"),
            pool_size=settings.database_pool_size,
            statement_seconds=STATEMENT_SECONDS,
        )
        self._rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=settings.rpc_deadline)
        upstream = Upstream(
            self._rpc, services=SERVICES, threads=settings.gateway_threads, deadline=settings.rpc_deadline
        )
        self.app = create_app(settings, Dependencies(database=self._database, upstream=upstream))
        self._relay = Relay(self._database, settings)
        self._listener = EventListener(
            settings.amqp_uri,
            settings.bus_prefix,
            GATEWAY_CACHE_EVENTS + GATEWAY_LIVE_EVENTS,
            self.app.parts.on_event,
            self.app.parts.drop_all,
        )
        self.app.parts.people.is_hearing = lambda: self._listener.is_connected
        self.app.parts.pages.is_hearing = lambda: self._listener.is_connected
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Connect, and serve the private port."""
        self._relay.start()
        self._listener.start()
        self._housekeeper.start()
        port = self._serve_private_port()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD, 20, 20)
        _log.info("ready", service="gateway", private_port=port)

    def stop(self) -> None:
        """Finish what waits behind the requests, and let go of everything."""
        self._stopping.set()
        self._listener.stop()
        self.app.parts.close()
        self._relay.stop()
        self._rpc.stop()
        self._database.close()
        _log.info("stopped", service="gateway")

    def faults(self) -> dict[str, str]:
        """What keeps this process from working, by the part's name."""
        found = {}
        try:
            self._database.ping()
        except Exception as error:
            found["database"] = type(error).__name__
        if not self._listener.is_connected:
            found["broker"] = "not connected"
        return found

    def _serve_private_port(self) -> int:
        """Serve the first free port from the configured one on: each worker has its own."""
        first = self._settings.gateway_private_port
        for port in range(first, first + _PORTS_TRIED):
            try:
                health.serve(self._settings.private_address, port, self.faults)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
        raise OSError(errno.EADDRINUSE, f"no private port is free from {first} on")

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            try:
                forget_the_past(self._database, now())
            except Exception as error:
                _log.warning("housekeeping failed", reason=str(error))


def forget_the_past(database: Database, at: datetime) -> None:
    """Delete what has ended: limits' windows, kept answers, mailed tokens, tickets, refresh tokens, log-ins."""
    for table, ends in (
        (rate_limits, rate_limits.c.ends_at),
        (idempotency_keys, idempotency_keys.c.expires_at),
        (mailed_tokens, mailed_tokens.c.expires_at),
        (stream_tickets, stream_tickets.c.expires_at),
        (refresh_tokens, refresh_tokens.c.expires_at),
    ):
        with database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(_NOBODY_WAITS)
            unit_of_work.connection.execute(delete(table).where(ends < at))
    while _forget_sessions(database, at) == _SESSIONS_AT_ONCE:
        pass


def _forget_sessions(database: Database, at: datetime) -> int:
    """Delete some of the log-ins, revoked or not, whose last refresh token has ended; how many."""
    ended = (
        select(sessions.c.id)
        .where(
            sessions.c.created_at < at - REFRESH_LIFETIME,
            ~exists().where(refresh_tokens.c.session_id == sessions.c.id),
        )
        .limit(_SESSIONS_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte()
    )
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(_NOBODY_WAITS)
        return unit_of_work.connection.execute(delete(sessions).where(sessions.c.id.in_(select(ended.c.id)))).rowcount
