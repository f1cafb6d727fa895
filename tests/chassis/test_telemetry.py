"""What a process writes of itself."""

import subprocess
import sys

import msgspec

from tests.chassis.specimen import CHECKOUT

WARNS = """
from chassis.greening import patch
patch()
from chassis.telemetry import configure_logs
configure_logs("gateway")
import warnings
warnings.warn("a palette with transparency", UserWarning)
"""


def test_a_librarys_warning_is_a_line_of_the_log_and_nothing_else_is_written() -> None:
    run = subprocess.run([sys.executable, "-c", WARNS], cwd=CHECKOUT, capture_output=True, check=True, timeout=60)

    lines = [msgspec.json.decode(line) for line in run.stdout.splitlines()]
    assert [(line["level"], line["process"]) for line in lines] == [("warning", "gateway")]
    assert "UserWarning: a palette with transparency" in lines[0]["event"]
    assert run.stderr == b""
