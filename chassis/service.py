"""What a service's `service.py` imports: the base class and the ways in: calls, events, the clock."""

from chassis.bus.events import Delivery, consumes
from chassis.bus.rpc import rpc
from chassis.bus.service import Service
from chassis.bus.timer import every

__all__ = ["Delivery", "Service", "consumes", "every", "rpc"]
