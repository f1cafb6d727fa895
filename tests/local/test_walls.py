"""The one wall that import-linter cannot hold: rules know nothing but the standard library."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.local.places import CHECKOUT

DOMAINS = sorted(
    path
    for package in (CHECKOUT / "services", CHECKOUT / "gateway")
    for path in [*package.rglob("domain.py"), *package.rglob("domain/**/*.py")]
)


def _imported(source: str, package: str) -> Iterator[str]:
    """Yield the modules that a file of `package` imports, relative ones in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])])


def _foreign(source: str, package: str, own: str) -> list[str]:
    return [
        name
        for name in _imported(source, package)
        if name.split(".")[0] not in sys.stdlib_module_names and name != own and not name.startswith(f"{own}.")
    ]


@pytest.mark.parametrize("path", DOMAINS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_rules_import_the_standard_library_alone(path: Path) -> None:
    package = ".".join(path.relative_to(CHECKOUT).parent.parts)
    own = package[: package.rindex("domain") + len("domain")] if "domain" in package else f"{package}.domain"

    assert _foreign(path.read_text(), package, own) == []


def test_the_check_sees_a_foreign_import() -> None:
    source = "import datetime\nfrom sqlalchemy import select\nfrom ..handlers import save\nfrom .streak import day"

    assert _foreign(source, "services.x.domain", "services.x.domain") == ["sqlalchemy", "services.x.handlers"]
