"""What somebody must look at: money that does not fit, or words that are not Stripe's. Each is a line of the log."""

from typing import Any

from prometheus_client import Counter

from chassis import telemetry

PAYMENT_ALARMS = Counter("payment_alarms_total", "Payments and webhooks that somebody must look at", ["alarm"])

_log = telemetry.get_logger("payments")


def alarm(reason: str, **facts: Any) -> None:
    """Write an alarm: a line `payment alarm` with the reason as `alarm`, and one more in the metric."""
    PAYMENT_ALARMS.labels(reason).inc()
    _log.error("payment alarm", alarm=reason, **{name: str(value) for name, value in facts.items()})
