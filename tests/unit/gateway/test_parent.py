"""A worker of the gateway ends with the process that made it, however early that one dies."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]

PARENT = """
import multiprocessing, os, sys, threading, time

def work(telling):
    from gateway.asgi import end_with_parent
    if {watches_first}:
        end_with_parent()
    parent = os.getppid()
    telling.send("ready")
    if not {watches_first}:
        while os.getppid() == parent:
            time.sleep(0.01)
        end_with_parent()
    threading.Event().wait(60)

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    listening, telling = context.Pipe(False)
    worker = context.Process(target=work, args=(telling,))
    worker.start()
    listening.recv()
    print(worker.pid, flush=True)
    sys.stdin.readline()
    os._exit(0)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("watches_first", [True, False], ids=["when it is watched", "before it is watched"])
def test_a_worker_ends_when_its_parent_dies(tmp_path: Path, method: str, *, watches_first: bool) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(method=method, watches_first=watches_first), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        try:
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.wait(20) == 0
            _, alive = psutil.wait_procs([worker], timeout=20)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()

    assert alive == []
