"""What a service's `service.py` imports: the base class and the two ways in, calls and events."""

from chassis.bus.events import Delivery, consumes
from chassis.bus.rpc import rpc
from chassis.bus.service import Service

__all__ = ["Delivery", "Service", "consumes", "rpc"]
