"""Mails over SMTP, and what is known of one that was not taken."""

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import unquote, urlsplit

import idna

TIMEOUT_SECONDS = 15.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_UNWRITABLE = (ValueError, MessageError)
"""What addresses and texts end in that no mail can carry."""


@dataclass(frozen=True)
class Mail:
    """A mail to one address; with `html` its reader may choose. Without a `message_id` it gets a new one."""

    to: str
    subject: str
    text: str
    html: str = ""
    message_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class NotTaken(Exception):
    """The server has not taken the mail; when `is_final`, it will not take it later either."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Unanswered(Exception):
    """The server fell silent when it had the mail or part of it: nobody knows whether it takes it."""


class Smtp:
    """A mail server at `smtp://[user:password@]host[:port]` (STARTTLS when offered) or `smtps://...`.

    Its certificate is verified, and a password goes only over TLS or to this machine.
    """

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2]

    def send(self, mail: Mail) -> None:
        """Send a mail. Raises `NotTaken` or `Unanswered`.

        An address whose local part is not ASCII needs a server that offers SMTPUTF8.
        """
        try:
            message = self._message(mail)
        except _UNWRITABLE as error:
            raise NotTaken(_reason(error), is_final=True) from error
        try:
            smtp = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise NotTaken(_reason(error)) from error
        try:
            smtp.send_message(message)
        except smtplib.SMTPServerDisconnected as error:
            raise Unanswered(_reason(error)) from error
        except smtplib.SMTPException as error:
            raise NotTaken(_reason(error), is_final=_is_final(error)) from error
        except OSError as error:
            raise Unanswered(_reason(error)) from error
        except _UNWRITABLE as error:
            # the message is written whole before the server hears of it
            raise NotTaken(_reason(error), is_final=True) from error
        finally:
            # what it has taken it keeps, however the farewell goes
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
            smtp.close()

    def message_id(self, name: str) -> str:
        """A `Message-ID` of ours for the mail that we call so."""
        return f"<{name}@{self._domain}>"

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = _on_the_wire(mail.to)
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = mail.message_id or make_msgid(domain=self._domain)
        message["Auto-Submitted"] = "auto-generated"
        for name, value in mail.headers.items():
            message[name] = value
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        return message

    def _connect(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        if self._url.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self._url.port or 465, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(host, self._url.port or 25, timeout=TIMEOUT_SECONDS)
        try:
            is_private = self._url.scheme == "smtps" or host in _LOOPBACK
            if self._url.scheme != "smtps":
                smtp.ehlo()
                if smtp.has_extn("starttls"):
                    smtp.starttls(context=ssl.create_default_context())
                    is_private = True
            if self._url.username:
                if not is_private:
                    raise smtplib.SMTPNotSupportedError("the password does not go out without TLS")
                smtp.login(unquote(self._url.username), unquote(self._url.password or ""))
        except BaseException:
            smtp.close()
            raise
        return smtp


def _on_the_wire(address: str) -> str:
    """The address with its domain in ASCII, which every server takes, unless it needs SMTPUTF8 anyway."""
    local, _, domain = address.rpartition("@")
    if domain.isascii() or not local.isascii():
        return address
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def _reason(error: Exception) -> str:
    """What happened, without the addresses that the server's own words may hold."""
    code = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = next((code for code, _ in error.recipients.values()), None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def _is_final(error: smtplib.SMTPException) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return isinstance(error, smtplib.SMTPNotSupportedError)
