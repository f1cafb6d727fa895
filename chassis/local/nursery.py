"""The parent of all services on one machine: it imports the common libraries once and forks a process per service.

A service of its own costs three times the memory of a forked one. The parent never has a thread, a connection or a
running hub, so that a fork is a clean start. It obeys JSON lines on standard input, tells on standard output what
started and what ended, and ends its children when its input ends, which also happens when the supervisor is killed.
"""

from os import fork, pipe, read, waitpid, write
from select import select
from time import monotonic

# The names above are the real ones: what follows replaces them by eventlet's.
from chassis import greening

greening.patch()

import gc  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

DRAIN_PATIENCE = 20.0
COMMANDS, ANSWERS = 0, 1


def main() -> None:
    """Import the runner (named in the first argument), then fork a service for every command until the input ends."""
    runner = importlib.import_module(sys.argv[1])
    gc.collect()
    gc.freeze()
    wake_up = _wake_up_on_child_signals()
    children: dict[int, str] = {}
    waiting = b""
    _tell({"ready": True})
    while True:
        readable, _, _ = select([COMMANDS, wake_up], [], [])
        if wake_up in readable:
            read(wake_up, 4096)
            _tell_who_ended(children)
        if COMMANDS in readable:
            arrived = read(COMMANDS, 65_536)
            if not arrived:
                break
            *lines, waiting = (waiting + arrived).split(b"\n")
            for line in lines:
                command = json.loads(line)
                pid = _start(runner.run_service, **command)
                children[pid] = command["name"]
                _tell({"started": command["name"], "pid": pid})
    _end(children, wake_up)


def _start(run_service: Callable[[str, int], Any], name: str, port: int, log: str, environment: dict[str, str]) -> int:
    pid = fork()
    if pid == 0:
        os.environ.update(environment)
        _become(run_service, name, port, log)
    return pid


def _become(run_service: Callable[[str, int], Any], name: str, port: int, log: str) -> NoReturn:
    """Be the service `name` in a process that has just been forked, and never return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        import eventlet.hubs

        eventlet.hubs.use_hub()
        run_service(name, port)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wake_up_on_child_signals() -> int:
    """Return a file descriptor that becomes readable whenever a child ends."""
    reading, writing = pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return reading


def _tell_who_ended(children: dict[int, str]) -> None:
    while children:
        pid, status = waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        name = children.pop(pid)
        _tell({"ended": name, "pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _end(children: dict[int, str], wake_up: int) -> None:
    """Ask all children to drain and stop, and kill what is left when the patience is over."""
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    deadline = monotonic() + DRAIN_PATIENCE
    while children and monotonic() < deadline:
        if select([wake_up], [], [], 0.2)[0]:
            read(wake_up, 4096)
        _tell_who_ended(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _tell(answer: dict[str, Any]) -> None:
    try:
        write(ANSWERS, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main()
