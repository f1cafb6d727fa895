"""Access tokens: JWTs signed with Ed25519, each naming its key (`kid`), valid for 15 minutes."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.utils import base64url_encode

from chassis.settings import Settings, SettingsError
from contracts.errors import Unauthorized
from gateway.domain.sessions import ACCESS_LIFETIME

ALGORITHM = "EdDSA"
AUDIENCE = "tanka"
TYPE = "at+jwt"
SKEW_SECONDS = 10
"""How far the clocks of two machines of ours may be apart: a token may seem to come from the future by so much."""

_KEPT = 20_000
_LONGEST = 2_000
_END = "-----END PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says; instants are seconds since 1970."""

    user_id: UUID
    session_id: UUID
    expires_at: float


def new_signing_key() -> str:
    """A new private key as PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


class KeyRing:
    """The private keys of `JWT_SIGNING_KEY` (PEM, one after another): the first signs, all verify."""

    def __init__(self, pem: str) -> None:
        keys = [_load(part + _END) for part in pem.replace("\\n", "\n").split(_END) if part.strip()]
        if not keys:
            raise SettingsError("JWT_SIGNING_KEY holds no key")
        self._public: dict[str, Ed25519PublicKey] = {_key_id(key.public_key()): key.public_key() for key in keys}
        self._private = keys[0]
        self.key_id = _key_id(keys[0].public_key())
        self.secrets = tuple(_secret(key) for key in keys)
        """One secret per key, for what the gateway seals for itself; the first is the one to seal with."""

    def sign(self, claims: dict[str, Any]) -> str:
        """The claims as a signed token."""
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers={"kid": self.key_id, "typ": TYPE})

    def public_key(self, key_id: str) -> Ed25519PublicKey | None:
        """The public key of that id."""
        return self._public.get(key_id)

    def published(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517)."""
        return {
            "keys": [
                {**_jwk(key), "kid": key_id, "alg": ALGORITHM, "use": "sig"} for key_id, key in self._public.items()
            ]
        }


class AccessTokens:
    """Issues and verifies access tokens; a verified one is remembered until it expires."""

    def __init__(self, keys: KeyRing, issuer: str, now: Callable[[], datetime]) -> None:
        self.keys = keys
        self._issuer = issuer
        self._now = now
        self._verified: LRUCache[str, Claims] = LRUCache(_KEPT)
        self._lock = threading.Lock()

    def issue(self, user_id: UUID, session_id: UUID, now: datetime) -> str:
        """A token for the person, within the log-in."""
        issued = int(now.timestamp())
        return self.keys.sign(
            {
                "iss": self._issuer,
                "aud": AUDIENCE,
                "sub": str(user_id),
                "sid": str(session_id),
                "iat": issued,
                "nbf": issued,
                "exp": issued + int(ACCESS_LIFETIME.total_seconds()),
                "jti": uuid4().hex,
            }
        )

    def verify(self, token: str) -> Claims:
        """What the token says. Raises `Unauthorized` for anything but a good one of ours."""
        now = self._now().timestamp()
        with self._lock:
            claims = self._verified.get(token)
        if claims is None:
            claims = self._read(token, now)
            with self._lock:
                self._verified[token] = claims
        if claims.expires_at <= now:
            raise Unauthorized("token-expired")
        return claims

    def _read(self, token: str, now: float) -> Claims:
        if len(token) > _LONGEST:
            raise Unauthorized("bad-token")
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.public_key(str(header.get("kid")))
            if key is None or header.get("typ") != TYPE:
                raise Unauthorized("bad-token")
            found = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "sub", "sid", "iat", "nbf", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            claims = Claims(UUID(found["sub"]), UUID(found["sid"]), float(found["exp"]))
            if float(found["nbf"]) > now + SKEW_SECONDS:
                raise Unauthorized("bad-token")
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise Unauthorized("bad-token") from error
        return claims


def access_tokens(settings: Settings, now: Callable[[], datetime]) -> AccessTokens:
    """The access tokens of this academy; without a key in the settings, with one that lives as long as this process."""
    return AccessTokens(KeyRing(settings.jwt_signing_key or new_signing_key()), settings.public_url, now)


def _load(pem: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.strip().encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SettingsError("JWT_SIGNING_KEY is no PEM private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError("JWT_SIGNING_KEY must be an Ed25519 private key")
    return key


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": base64url_encode(raw).decode()}


def _key_id(key: Ed25519PublicKey) -> str:
    """The key's thumbprint (RFC 7638)."""
    canonical = json.dumps(_jwk(key), separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(canonical.encode()).digest()).decode()


def _secret(key: Ed25519PrivateKey) -> bytes:
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    return hashlib.sha256(b"tanka/secret" + raw).digest()
