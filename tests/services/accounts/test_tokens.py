"""Access tokens: what is believed, and every classical forgery."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.database import Database
from chassis.settings import Settings, SettingsError
from gateway.app import Gateway, create_app
from gateway.dependencies import Dependencies
from gateway.tokens import KeyRing, new_signing_key
from tests.services.accounts.conftest import Clock, LetterBox, SilentServices, Someone

Forge = Callable[[Gateway, dict[str, Any], str], str]


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _key_id(app: Gateway) -> str:
    return app.parts.tokens.keys.key_id


def _private(app: Gateway) -> Ed25519PrivateKey:
    return app.parts.tokens.keys._private


def _public_pem(app: Gateway) -> bytes:
    return (
        _private(app)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _signed(app: Gateway, claims: dict[str, Any], **header: Any) -> str:
    headers = {"kid": _key_id(app), "typ": "at+jwt", **header}
    return jwt.encode(claims, _private(app), algorithm="EdDSA", headers=headers)


def _hmac_with_public_key(app: Gateway, claims: dict[str, Any], _good: str) -> str:
    import hashlib
    import hmac

    signing = f"{_part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': _key_id(app)})}.{_part(claims)}"
    digest = hmac.new(_public_pem(app), signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


FORGERIES: dict[str, Forge] = {
    "no signature (alg none)": lambda app, claims, _: (
        f"{_part({'alg': 'none', 'typ': 'at+jwt', 'kid': _key_id(app)})}.{_part(claims)}."
    ),
    "signature of a good one, alg none": lambda app, claims, good: (
        f"{_part({'alg': 'none', 'typ': 'at+jwt', 'kid': _key_id(app)})}.{_part(claims)}.{good.split('.')[2]}"
    ),
    "HMAC with the public key": _hmac_with_public_key,
    "signed by a key of one's own, our kid": lambda app, claims, _: jwt.encode(
        claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": _key_id(app), "typ": "at+jwt"}
    ),
    "signed by a key of one's own, its kid": lambda _app, claims, _: jwt.encode(
        claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "mine", "typ": "at+jwt"}
    ),
    "without kid": lambda app, claims, _: jwt.encode(
        claims, _private(app), algorithm="EdDSA", headers={"typ": "at+jwt"}
    ),
    "key in the header (jwk)": lambda app, claims, _: jwt.encode(
        claims,
        Ed25519PrivateKey.generate(),
        algorithm="EdDSA",
        headers={"kid": _key_id(app), "typ": "at+jwt", "jwk": {"kty": "OKP"}},
    ),
    "RSA": lambda app, claims, _: jwt.encode(
        claims,
        rsa.generate_private_key(65537, 2048),
        algorithm="RS256",
        headers={"kid": _key_id(app), "typ": "at+jwt"},
    ),
    "ECDSA": lambda app, claims, _: jwt.encode(
        claims,
        ec.generate_private_key(ec.SECP256R1()),
        algorithm="ES256",
        headers={"kid": _key_id(app), "typ": "at+jwt"},
    ),
    "another type of token": lambda app, claims, _: _signed(app, claims, typ="JWT"),
    "other claims under a good signature": lambda _app, claims, good: ".".join(
        [good.split(".")[0], _part({**claims, "sub": str(uuid4())}), good.split(".")[2]]
    ),
    "truncated": lambda _app, _claims, good: good[:-5],
    "lengthened": lambda _app, _claims, good: good + "AAAA",
    "two parts": lambda _app, _claims, good: good.rsplit(".", 1)[0],
    "no token": lambda _app, _claims, _good: "x",
    "bytes": lambda _app, _claims, good: good.replace(".", "\xff.", 1),
    "huge": lambda _app, _claims, good: good + "A" * 5000,
    "expired": lambda app, claims, _: _signed(app, {**claims, "exp": claims["iat"]}),
    "expires when no number says": lambda app, claims, _: _signed(app, {**claims, "exp": "tomorrow"}),
    "never expires": lambda app, claims, _: _signed(app, _without(claims, "exp")),
    "not yet valid": lambda app, claims, _: _signed(app, {**claims, "nbf": claims["iat"] + 60}),
    "for another audience": lambda app, claims, _: _signed(app, {**claims, "aud": "elsewhere"}),
    "for nobody": lambda app, claims, _: _signed(app, _without(claims, "aud")),
    "from another issuer": lambda app, claims, _: _signed(app, {**claims, "iss": "http://elsewhere.example"}),
    "about nobody": lambda app, claims, _: _signed(app, _without(claims, "sub")),
    "about no id": lambda app, claims, _: _signed(app, {**claims, "sub": "admin"}),
    "about someone unknown": lambda app, claims, _: _signed(app, {**claims, "sub": str(uuid4())}),
    "claims are a list": lambda app, _claims, _good: jwt.api_jws.encode(
        b"[]", _private(app), algorithm="EdDSA", headers={"kid": _key_id(app), "typ": "at+jwt"}
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_nobody(app: Gateway, ber: Someone, forgery: str) -> None:
    assert ber.access is not None
    claims = jwt.decode(ber.access, options={"verify_signature": False})
    ber.access = FORGERIES[forgery](app, claims, ber.access)

    answer = ber.get("/v1/me")

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_way_of_forging_here_makes_good_tokens_of_good_claims(app: Gateway, ber: Someone) -> None:
    assert ber.access is not None
    claims = jwt.decode(ber.access, options={"verify_signature": False})
    ber.access = _signed(app, claims)

    assert ber.get("/v1/me").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer  ", "Token x", "Bearer a b"])
def test_another_kind_of_authorization_is_nobody(ber: Someone, header: str) -> None:
    assert ber.get("/v1/me", headers={"Authorization": header}).status_code == 401


def test_without_a_token_the_answer_says_what_is_needed(someone: Callable[..., Someone]) -> None:
    answer = someone().get("/v1/me")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tanka"'


def test_a_token_ends_after_fifteen_minutes_also_when_it_was_seen_before(ber: Someone, clock: Clock) -> None:
    clock.pass_by(seconds=899)
    assert ber.get("/v1/me").status_code == 200

    clock.pass_by(seconds=1)

    assert ber.get("/v1/me").status_code == 401


def test_keys_rotate_without_ending_what_was_signed_before(
    accounts_settings: Settings, database: Database, clock: Clock, letter_box: LetterBox
) -> None:
    old, new = new_signing_key(), new_signing_key()

    def academy(keys: str) -> Gateway:
        settings = replace(accounts_settings, jwt_signing_key=keys)
        return create_app(settings, Dependencies(database, SilentServices(), clock, letter_box))

    before, after, later = academy(old), academy(new + old), academy(new)
    ber = Someone(before).register()

    assert _with(after, ber.access) == 200
    assert _with(later, ber.access) == 401
    renewed = Someone(after).log_in()
    assert jwt.get_unverified_header(renewed.access or "")["kid"] == KeyRing(new).key_id
    assert _with(later, renewed.access) == 200
    published = Someone(after).get("/.well-known/jwks.json").json
    assert published is not None
    assert [key["kid"] for key in published["keys"]] == [KeyRing(new).key_id, KeyRing(old).key_id]


def test_anyone_can_verify_with_the_published_keys(ber: Someone, someone: Callable[..., Someone]) -> None:
    answer = someone().get("/.well-known/jwks.json")
    assert answer.json is not None
    assert ber.access is not None
    keys = jwt.PyJWKSet.from_dict(answer.json)

    key = keys[jwt.get_unverified_header(ber.access)["kid"]]
    claims = jwt.decode(
        ber.access,
        key.key,
        algorithms=["EdDSA"],
        audience="tanka",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )

    assert claims["sub"] == ber.user["id"]
    assert "d" not in answer.json["keys"][0]


@pytest.mark.parametrize("pem", ["x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_said_at_the_start(pem: str) -> None:
    with pytest.raises(SettingsError, match="JWT_SIGNING_KEY"):
        KeyRing(pem)


def test_a_key_of_another_kind_is_said_at_the_start() -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    with pytest.raises(SettingsError, match="Ed25519"):
        KeyRing(pem.decode())


def test_a_key_may_come_with_written_line_ends() -> None:
    pem = new_signing_key()

    assert KeyRing(pem.replace("\n", "\\n")).key_id == KeyRing(pem).key_id


def _with(app: Gateway, token: str | None) -> int:
    return app.test_client().get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code
