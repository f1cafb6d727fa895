"""A real SMTP server for tests, and what it received."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from chassis.local.processes import free_ports


@dataclass
class PostOffice:
    """The server at `url`; it answers what comes for an address of `refusals` with the line that stands there."""

    url: str = ""
    messages: list[EmailMessage] = field(default_factory=list)
    addressees: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    passwords: list[bytes] = field(default_factory=list)

    def let_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, login: LoginPassword) -> AuthResult:
        """Take any password, and remember it."""
        self.passwords.append(login.password)
        return AuthResult(success=True)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """Take an addressee, or refuse."""
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a message."""
        self.addressees += envelope.rcpt_tos
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@contextmanager
def post_office(tls: ssl.SSLContext | None = None, *, takes_utf8: bool = True) -> Iterator[PostOffice]:
    """A server that runs as long as the block lasts; with `tls` it offers STARTTLS, and SMTPUTF8 unless told not to."""
    office = PostOffice()
    (port,) = free_ports(1)
    controller = Controller(
        office,
        hostname="127.0.0.1",
        port=port,
        enable_SMTPUTF8=takes_utf8,
        tls_context=tls,
        authenticator=office.let_in,
        auth_require_tls=False,
    )
    controller.start()
    office.url = f"smtp://127.0.0.1:{port}"
    try:
        yield office
    finally:
        controller.stop()
