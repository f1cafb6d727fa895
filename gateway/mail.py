"""Mails about accounts, sent from a thread of their own, so that no answer's time tells whether one was sent."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from chassis.mail import Mail, NotTaken, Smtp, Unanswered
from chassis.settings import Settings
from chassis.telemetry import get_logger
from gateway.messages import Language, say

WAITING = 500

_log = get_logger("mail")


class Mailer(Protocol):
    """Sends one mail; raises when it cannot."""

    def send(self, to: str, subject: str, text: str) -> None:
        """Send plain text to one address."""
        ...


class SmtpMailer:
    """Sends through `SMTP_URL`."""

    def __init__(self, url: str, sender: str) -> None:
        self._smtp = Smtp(url, sender)

    def send(self, to: str, subject: str, text: str) -> None:
        """Send plain text to one address. Raises `chassis.mail.NotTaken` or `chassis.mail.Unanswered`."""
        self._smtp.send(Mail(to, subject, text))


class LogMailer:
    """Writes mails to the log, links included: for development without SMTP."""

    def send(self, to: str, subject: str, text: str) -> None:
        """Write the mail to the log."""
        _log.info("mail not sent: no SMTP_URL", to=to, subject=subject, text=text)


class NoMailer:
    """Sends nothing, and says so without the content: for production without SMTP."""

    def send(self, to: str, subject: str, text: str) -> None:
        """Say that a mail could not be sent."""
        _log.warning("mail not sent: no SMTP_URL", subject=subject)


def mailer_for(settings: Settings) -> Mailer:
    """The mailer that the settings ask for."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url, settings.mail_from)
    return LogMailer() if settings.environment == "development" else NoMailer()


class PostRoom:
    """Does what ends in a mail, one after another, behind the requests."""

    def __init__(self, mailer: Mailer, front_url: str) -> None:
        self._mailer = mailer
        self._front_url = front_url.rstrip("/")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail")
        self._room = threading.Semaphore(WAITING)

    def later(self, work: Callable[[], None]) -> None:
        """Do the work soon; dropped, and said so, when too much is waiting already."""
        if not self._room.acquire(blocking=False):
            _log.error("mail dropped: too many are waiting")
            return
        self._thread.submit(self._do, work)

    def send(self, kind: str, to: str, language: Language, name: str, token: str) -> None:
        """Send the mail of this kind (`verify-email`, `reset-password`) with its link into the front end, now."""
        parameters = {"name": name, "link": f"{self._front_url}/{kind}?token={token}"}
        self._mailer.send(to, say(f"mail.{kind}.subject", language), say(f"mail.{kind}.text", language, parameters))

    def close(self) -> None:
        """Send what is waiting, then end."""
        self._thread.shutdown(wait=True)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (NotTaken, Unanswered) as error:
            # its cause may hold the address
            _log.error("mail failed", reason=str(error))
        except Exception as error:
            _log.error("mail failed", exc_info=error)
        finally:
            self._room.release()
