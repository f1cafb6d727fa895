"""The CPU time of each process of the academy, children included."""

import os
from collections.abc import Mapping

import psutil


class CpuMeter:
    """Says how much of a core each named process used since the meter was made."""

    def __init__(self, pids: Mapping[str, int]):
        self._pids = {**pids, "load": os.getpid()}
        self._before = self._seconds()

    def shares(self, seconds: float) -> dict[str, float]:
        """Cores used on average over the last `seconds`, by name."""
        after = self._seconds()
        return {name: (after[name] - self._before[name]) / seconds for name in self._pids}

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
