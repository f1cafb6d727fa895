"""Processes we started: told apart from others by id and start time, and ended by id alone."""

import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PORT_PATIENCE = 20.0

PORTS = range(20_000, 32_768)
"""Where ports are looked for: below those that systems give away by themselves, for ours are used seconds later."""

_first = random.choice(PORTS)
_ports = itertools.cycle((*range(_first, PORTS.stop), *range(PORTS.start, _first)))


class StartError(Exception):
    """Something of ours cannot run; the text is one or two sentences for the person at the terminal."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id and its start time (seconds since the epoch), so that a reused id is never taken for ours."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Return the identity of the living process `pid`; psutil.NoSuchProcess when there is none."""
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def from_kept(cls, kept: list[float] | None) -> "ProcessIdentity | None":
        """Return what `kept` wrote down, or None when it wrote nothing."""
        return cls(int(kept[0]), kept[1]) if kept else None

    def kept(self) -> list[float]:
        """Return what a state file keeps of it."""
        return [self.pid, self.started_at]

    def process(self) -> psutil.Process | None:
        """Return the living process, or None when it has ended (a zombie counts as ended)."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started_at) > 1 or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Return whether exactly this process still runs."""
        return self.process() is not None

    def send(self, number: signal.Signals) -> None:
        """Send the signal, or do nothing when the process has ended."""
        process = self.process()
        if process is not None:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                return

    def end(self, patience: float, number: signal.Signals = signal.SIGTERM) -> bool:
        """Ask the process to stop, kill it after `patience` seconds; return whether it went by itself."""
        self.send(number)
        if self.wait(patience):
            return True
        self.send(signal.SIGKILL)
        self.wait(5)
        return False

    def wait(self, patience: float) -> bool:
        """Wait up to `patience` seconds for the end; return whether it came."""
        return wait_until(lambda: not self.alive(), patience, pause=0.02)


def wait_until(condition: Callable[[], bool], patience: float, pause: float = 0.05) -> bool:
    """Ask `condition` again and again for `patience` seconds; return whether it came true."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nobody listens on and that this process has not been given yet."""
    free = (port for port in _ports if port_is_free(port))
    return [next(free) for _ in range(count)]


def settle_port(port: int | None, keep: bool) -> int:
    """Return `port` when it is free, else another one; with `keep` wait for it, and StartError when it stays taken."""
    if port is not None and wait_until(lambda: port_is_free(port), PORT_PATIENCE if keep else 0):
        return port
    if keep:
        raise StartError(f"Port {port} was taken by another program meanwhile.")
    return free_ports(1)[0]


def spawn(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    owner: tuple[int, int] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own (so that Ctrl-C reaches only us), its output appended to `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
            user=owner[0] if owner else None,
            group=owner[1] if owner else None,
            extra_groups=[] if owner else None,
        )


def last_lines(log: Path, count: int = 12) -> str:
    """Return the last lines of a log, or an empty text when there is none."""
    try:
        with open(log, "rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - 16_384))
            return "\n".join(source.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
