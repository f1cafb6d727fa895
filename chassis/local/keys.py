"""The secrets that `up` makes up once and keeps."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.local.infrastructure import read_private, write_private
from chassis.local.sandbox import make_sandbox_keys, sandbox_sells


def kept_keys(state: Path) -> dict[str, str]:
    """Return the keys of the academy with this state folder as environment variables, made at the first call.

    The sandbox's are among them as long as it sells.
    """
    path = state / "keys.json"
    kept = {name: str(value) for name, value in read_private(path).items()}
    fresh = {"JWT_SIGNING_KEY": make_signing_key(), **(make_sandbox_keys() if sandbox_sells(os.environ) else {})}
    keys = {name: kept.get(name, value) for name, value in fresh.items()}
    if keys.keys() - kept.keys():
        write_private(path, {**kept, **keys})
    return keys


def make_signing_key() -> str:
    """Return a new Ed25519 private key in PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
