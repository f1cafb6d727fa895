"""The secrets that `up` makes up once and keeps."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.local.infrastructure import read_private, write_private


def kept_keys(state: Path) -> dict[str, str]:
    """Return the keys of the academy with this state folder as environment variables, made at the first call."""
    path = state / "keys.json"
    keys = {name: str(value) for name, value in read_private(path).items()}
    if "JWT_SIGNING_KEY" not in keys:
        keys["JWT_SIGNING_KEY"] = make_signing_key()
        write_private(path, dict(keys))
    return keys


def make_signing_key() -> str:
    """Return a new Ed25519 private key in PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
