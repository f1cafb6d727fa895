"""What the gateway's processes say to one another by signals."""

import signal

END_STREAMS = signal.SIGUSR1
"""Sent to a worker before it is to stop: the server waits until every answer under way has ended."""
