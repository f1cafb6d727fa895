"""The system's package manager, for what no wheel carries: used only where it may be without asking anybody."""

import os
import shutil
import subprocess
from collections.abc import Sequence


def apt_prefix() -> list[str] | None:
    """Return the words before apt-get with which it may install; None where there is none or it may not."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    return sudo if shutil.which("sudo") and quietly([*sudo, "true"]) else None


def apt_install(prefix: Sequence[str], package: str) -> bool:
    """Install a Debian package, and nothing that it only recommends; return whether it is installed."""
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    quietly([*command, "update", "-q"])
    return quietly([*command, "install", "-qy", "--no-install-recommends", package])


def quietly(command: Sequence[str]) -> bool:
    """Run a command that says nothing; return whether it went well."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
