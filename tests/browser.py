"""A Chromium to look at pages with: an installed one, else the system's package manager's."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from chassis.local.packages import apt_install, apt_prefix, quietly

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALLED_ELSEWHERE = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
SECONDS_TO_INSTALL = 600
"""For the time limit of tests that may be the first to need it."""


def find_chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in (*NAMES, *INSTALLED_ELSEWHERE) if (found := shutil.which(name))), None)


def chromium() -> str:
    """The path of a Chromium, installed for it if need be; skips the test where none may be installed."""
    found = find_chromium()
    if found is None:
        prefix = apt_prefix()
        if prefix is not None:
            apt_install(prefix, "chromium")
        elif shutil.which("brew"):
            quietly(["brew", "install", "--cask", "chromium"])
        found = find_chromium()
    if found is None:
        pytest.skip("no Chromium here, and none could be installed by the system's package manager")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()
