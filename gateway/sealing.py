"""Keeps an answer readable only to who holds the secret that it was sealed with (AES-256-GCM)."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class BrokenSeal(Exception):
    """Sealed with another secret, or changed since."""


def seal(secret: bytes, content: bytes) -> bytes:
    """The content, encrypted under a key derived from the secret."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, content, None)


def unseal(secret: bytes, sealed: bytes) -> bytes:
    """The content that was sealed. Raises `BrokenSeal`."""
    try:
        return AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except InvalidTag as error:
        raise BrokenSeal from error


def _key(secret: bytes) -> bytes:
    return hmac.new(secret, b"tanka/seal", hashlib.sha256).digest()
