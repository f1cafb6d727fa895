"""The demo's sandbox in place of Stripe: when it sells, with which keys, and where it listens."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from chassis.local.infrastructure import read_private, write_private
from chassis.local.processes import settle_port

SANDBOX = "sandbox"
KEY_PREFIX = "sk_test_sandbox_"


def sandbox_sells(environment: Mapping[str, str]) -> bool:
    """Return whether an academy with this environment sells in the sandbox: without a key of Stripe's it does."""
    return not environment.get("STRIPE_API_KEY") and environment.get("ENVIRONMENT") != "production"


def make_sandbox_keys() -> dict[str, str]:
    """Return new keys as environment variables, by which the sandbox and the academy know each other."""
    return {
        "STRIPE_API_KEY": KEY_PREFIX + secrets.token_hex(16),
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
    }


def is_sandbox_key(api_key: str) -> bool:
    """Return whether a STRIPE_API_KEY is one that we made up."""
    return api_key.startswith(KEY_PREFIX)


def settle_sandbox_port(state: Path) -> int:
    """Return the port of the sandbox with this state folder: the same each time, since payment pages lie there."""
    kept = read_private(_file(state)).get("port")
    port = settle_port(kept, keep=False)
    if port != kept:
        write_private(_file(state), {"port": port})
    return port


def sandbox_address(state: Path) -> dict[str, str]:
    """Return where the sandbox with this state folder listens, as environment variables; none before it first ran."""
    kept = read_private(_file(state)).get("port")
    return {"STRIPE_API_BASE": base_of(kept)} if kept else {}


def base_of(port: int) -> str:
    """Return the address of a sandbox on this port."""
    return f"http://127.0.0.1:{port}"


def _file(state: Path) -> Path:
    return state / "sandbox.json"
