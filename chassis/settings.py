"""Every setting of the academy, typed, read from the environment once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url

STRIPE = "https://api.stripe.com"
TEST_KEYS = ("sk_test_", "rk_test_")
"""How the keys begin with which no real money moves."""


class SettingsError(Exception):
    """A setting is missing or cannot be understood; the message names it."""


def _secret(default: str = "") -> Any:
    return field(default=default, metadata={"secret": True})


@dataclass(frozen=True)
class Settings:
    """The settings; each is named in the environment as here, in capitals.

    `database_url` is the server (each service's database is named after it) unless `DATABASE_URL_<SERVICE>` says
    otherwise. Durations are in seconds.
    """

    environment: Literal["development", "production"] = "development"
    amqp_uri: str = _secret("amqp://guest:guest@127.0.0.1:5672//")
    bus_prefix: str = ""
    bus_retry_delays: tuple[float, ...] = (1.0, 5.0, 30.0, 120.0, 600.0)
    database_url: str = _secret("postgresql://postgres@127.0.0.1:5432/postgres")
    database_urls: Mapping[str, str] = field(default_factory=dict, metadata={"secret": True})
    database_pool_size: int = 8
    rpc_deadline: float = 2.0
    log_level: str = "info"
    private_address: str = "127.0.0.1"
    public_url: str = "http://127.0.0.1:8000"
    front_url: str = "http://127.0.0.1:3000"
    front_origins: tuple[str, ...] = ("http://127.0.0.1:3000", "http://localhost:3000")
    academy_time_zone: str = "UTC"
    academy_currency: str = "EUR"
    jwt_signing_key: str = _secret()
    stripe_api_key: str = _secret()
    stripe_api_base: str = STRIPE
    stripe_webhook_secret: str = _secret()
    smtp_url: str = _secret()
    mail_from: str = "TankaAcademy <academie@tanka.example>"
    gateway_address: str = "127.0.0.1"
    gateway_port: int = 8000
    gateway_private_port: int = 8001
    gateway_workers: int = 2
    gateway_threads: int = 128
    trusted_proxies: int = 0

    def database_url_for(self, service: str) -> str:
        """The SQLAlchemy URL of a service's own database."""
        url = make_url(self.database_urls.get(service) or self.database_url).set(drivername="postgresql+psycopg")
        if service not in self.database_urls:
            url = url.set(database=service)
        return url.render_as_string(hide_password=False)

    def public(self) -> dict[str, Any]:
        """The settings for a person to read; secrets only as set or not set."""
        return {
            item.name: ("set" if getattr(self, item.name) else "not set")
            if item.metadata.get("secret")
            else getattr(self, item.name)
            for item in fields(self)
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings as the environment says. Raises `SettingsError` naming what cannot be understood."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for item in fields(cls):
            text = source.get(item.name.upper())
            if text is not None and item.name != "database_urls":
                values[item.name] = _parse(item.name, item.type, text)
        prefix = "DATABASE_URL_"
        values["database_urls"] = {
            name.removeprefix(prefix).lower(): url for name, url in source.items() if name.startswith(prefix)
        }
        settings = cls(**values)
        _refuse(settings)
        return settings


def _parse(name: str, kind: Any, text: str) -> Any:
    try:
        if kind is int or kind is float:
            return kind(text)
        if kind in (tuple[float, ...], tuple[str, ...]):
            return tuple(kind.__args__[0](part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"{name.upper()} cannot be understood: {text!r}") from error
    return text


def _refuse(settings: Settings) -> None:
    if settings.environment not in ("development", "production"):
        raise SettingsError(f"ENVIRONMENT is development or production, not {settings.environment!r}")
    try:
        ZoneInfo(settings.academy_time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"ACADEMY_TIME_ZONE is no IANA time zone: {settings.academy_time_zone!r}") from error
    if settings.environment == "production":
        for name in ("jwt_signing_key",):
            if not getattr(settings, name):
                raise SettingsError(f"{name.upper()} must be set in production")
        if "guest:guest@" in settings.amqp_uri:
            raise SettingsError("AMQP_URI must not use the broker's default account in production")
        if settings.stripe_api_base != STRIPE or settings.stripe_api_key.startswith(TEST_KEYS):
            raise SettingsError("STRIPE_API_BASE and STRIPE_API_KEY must not be a sandbox's in production")
