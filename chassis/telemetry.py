"""Logs as JSON lines with the ids of the present work, and the metrics that all processes share."""

import json
import logging
import sys
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from chassis.context import add_trace

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

RPC_SERVED = Histogram("rpc_served_seconds", "Calls served", ["method", "outcome"], buckets=BUCKETS)
RPC_CALLED = Histogram("rpc_called_seconds", "Calls made", ["service", "method", "outcome"], buckets=BUCKETS)
EVENTS_HANDLED = Counter("events_handled_total", "Events handled", ["queue", "outcome"])
EVENT_LAG = Histogram("event_lag_seconds", "From the event's recording to its effect", ["queue"], buckets=BUCKETS)
EVENTS_PUBLISHED = Counter("events_published_total", "Events confirmed by the broker")
EVENTS_RETURNED = Counter("events_returned_total", "Events that no queue was bound for: an alarm")
OUTBOX_WAITING = Gauge("outbox_waiting_rows", "Rows of the last batch that the relay took")

_encode = msgspec.json.Encoder(enc_hook=str).encode


def _render(_logger: Any, _name: str, line: Any) -> bytes:
    try:
        return _encode(line)
    except (TypeError, ValueError):
        # half a surrogate pair in a quoted text, for instance: a line of the log must never break the work
        return json.dumps(line, default=repr).encode()


def configure_logs(process: str, level: str = "info") -> None:
    """Write this process's logs to standard output, one JSON object a line, at `level` and above.

    Libraries that use the standard `logging` end up in the same lines, and so do Python's warnings.
    """
    number = logging.getLevelNamesMapping()[level.upper()]

    def add_process(_logger: Any, _name: str, line: dict[str, Any]) -> dict[str, Any]:
        line["process"] = process
        return line

    shared: list[Any] = [
        add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_process,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda logger, name, line: _render(logger, name, line).decode(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)
    # nameko logs every answer on purpose as an error; the entry points log what is one
    logging.getLogger("nameko.containers").setLevel(logging.CRITICAL)


def get_logger(name: str) -> Any:
    """A structured logger: `log.info("what happened", field=value)`."""
    return structlog.get_logger(component=name)
