"""The CPU time of each process of the academy, children included."""

import os
from collections.abc import Mapping

import psutil


class CpuMeter:
    """Says how much of a core each named process used in the blocks `with meter:`."""

    def __init__(self, pids: Mapping[str, int]):
        self._pids = {**pids, "load": os.getpid()}
        self._used = dict.fromkeys(self._pids, 0.0)
        self._before: dict[str, float] = {}

    def __enter__(self) -> None:
        self._before = self._seconds()

    def __exit__(self, *_: object) -> None:
        for name, seconds in self._seconds().items():
            self._used[name] += seconds - self._before[name]

    def shares(self, seconds: float) -> dict[str, float]:
        """Cores used on average over `seconds` of such blocks, by name."""
        return {name: used / seconds for name, used in self._used.items()}

    def _seconds(self) -> dict[str, float]:
        return {name: _with_children(pid, alone=name == "load") for name, pid in self._pids.items()}


def _with_children(pid: int, *, alone: bool) -> float:
    process = psutil.Process(pid)
    family = [process] if alone else [process, *process.children(recursive=True)]
    total = 0.0
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
