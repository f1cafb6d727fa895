"""The entry point of work that is done again and again."""

from typing import Any

from nameko.timer import Timer

from chassis import telemetry
from chassis.database import is_database_away

_log = telemetry.get_logger("timer")


class Every(Timer):
    """Calls a service method every so many `interval` seconds; one that raises is logged and called again in time."""

    def handle_result(self, worker_ctx: Any, result: Any, exc_info: Any) -> Any:
        if exc_info is not None and is_database_away(exc_info[1]):
            _log.warning("the database does not answer", method=self.method_name, reason=str(exc_info[1]))
        elif exc_info is not None:
            _log.error("timed work failed", method=self.method_name, exc_info=exc_info)
        return super().handle_result(worker_ctx, result, exc_info)


every = Every.decorator
