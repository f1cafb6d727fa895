"""Given a real mail server, mails are as they should be, and it is known what became of them."""

import ipaddress
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from chassis import mail as module
from chassis.mail import Mail, NotTaken, Smtp, Unanswered
from tests.smtp import post_office

MAIL = Mail("awa@tanka.example", "Ta flamme s’éteint", "Bonjour Awa é", html="<p>Bonjour Awa é</p>")


def test_a_mail_is_whole_and_says_that_no_person_wrote_it() -> None:
    with post_office() as office:
        smtp = Smtp(office.url, "Academie <post@tanka.example>")
        smtp.send(
            Mail(
                MAIL.to,
                MAIL.subject,
                MAIL.text,
                MAIL.html,
                smtp.message_id("x1"),
                {"List-Unsubscribe": "<http://front.example>"},
            )
        )
        smtp.send(Mail("ber@tanka.example", "S", "T"))

    message, plain = office.messages
    assert message["From"] == "Academie <post@tanka.example>"
    assert (message["To"], message["Subject"]) == (MAIL.to, MAIL.subject)
    assert message["Message-ID"] == "<x1@tanka.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == "<http://front.example>"
    assert message["Date"].datetime is not None
    parts = {part.get_content_type(): part.get_content().strip() for part in message.iter_parts()}
    assert parts == {"text/plain": MAIL.text, "text/html": MAIL.html}
    assert plain.get_content_type() == "text/plain"
    assert plain["Message-ID"].endswith("@tanka.example>")


@pytest.mark.parametrize(("answer", "is_final"), [("450 later", False), ("550 nobody here", True)])
def test_a_refusal_says_whether_it_is_for_good(answer: str, is_final: bool) -> None:
    with post_office() as office:
        office.refusals[MAIL.to] = answer
        with pytest.raises(NotTaken) as refused:
            Smtp(office.url, "post@tanka.example").send(MAIL)

    assert refused.value.is_final is is_final
    assert str(refused.value) == f"SMTPRecipientsRefused {answer[:3]}", "addresses are in no log"
    assert office.messages == []


@pytest.mark.parametrize("takes_utf8", [True, False])
@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("awa@académie.example", "awa@xn--acadmie-eya.example"),
        ("awa@Straße.example", "awa@xn--strae-oqa.example"),
        ("awa@例え.example", "awa@xn--r8jz45g.example"),
        ("awa+mail@tanka.example", "awa+mail@tanka.example"),
    ],
)
def test_a_domain_with_accents_is_written_in_ascii_for_every_server(*, takes_utf8: bool, to: str, written: str) -> None:
    with post_office(takes_utf8=takes_utf8) as office:
        Smtp(office.url, "post@tanka.example").send(replace(MAIL, to=to))

    (message,) = office.messages
    assert (office.addressees, message["To"]) == ([written], written)


@pytest.mark.parametrize("to", ["zoé@tanka.example", "zoé@académie.example", "用户@例え.example"])
def test_a_name_with_accents_goes_as_it_is_to_a_server_that_takes_it(to: str) -> None:
    with post_office() as office:
        Smtp(office.url, "Académie <post@tanka.example>").send(replace(MAIL, to=to))

    (message,) = office.messages
    assert (office.addressees, message["To"], message["Subject"]) == ([to], to, MAIL.subject)


def test_a_name_with_accents_is_given_up_where_no_server_takes_it_and_no_other_mail_with_it() -> None:
    with post_office(takes_utf8=False) as office:
        smtp = Smtp(office.url, "post@tanka.example")
        with pytest.raises(NotTaken) as refused:
            smtp.send(replace(MAIL, to="zoé@tanka.example"))
        smtp.send(MAIL)

    assert refused.value.is_final
    assert str(refused.value) == "SMTPNotSupportedError", "addresses are in no log"
    assert office.addressees == [MAIL.to]


@pytest.mark.parametrize(
    "to", ["awa@\u200d.example", f"awa@{'é' * 70}.example", "awa@é..example", "zo\ud800@tanka.example"]
)
def test_an_address_that_no_mail_can_carry_is_given_up(to: str) -> None:
    with post_office() as office, pytest.raises(NotTaken) as refused:
        Smtp(office.url, "post@tanka.example").send(replace(MAIL, to=to))

    assert refused.value.is_final
    assert to not in str(refused.value)
    assert office.messages == []


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(NotTaken) as refused:
            Smtp(f"smtp://127.0.0.1:{nobody.getsockname()[1]}", "post@tanka.example").send(MAIL)

    assert not refused.value.is_final


def test_a_server_that_hangs_up_when_it_has_the_mail_may_have_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_hang_up_after_data, args=(server,))
        thread.start()
        with pytest.raises(Unanswered):
            Smtp(f"smtp://127.0.0.1:{server.getsockname()[1]}", "post@tanka.example").send(MAIL)
        thread.join(10)


def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_mail_nor_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, tls = _certified(tmp_path)
    with post_office(tls) as office:
        smtp = Smtp(office.url.replace("//", "//awa:secret@"), "post@tanka.example")
        with pytest.raises(NotTaken, match=r"^SSLCertVerificationError$"):
            smtp.send(MAIL)
        assert (office.messages, office.passwords) == ([], [])

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        smtp.send(MAIL)

    assert (len(office.messages), office.passwords) == (1, [b"secret"])


def test_a_password_goes_without_tls_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office() as office:
        smtp = Smtp(office.url.replace("//", "//awa:secret@"), "post@tanka.example")
        smtp.send(MAIL)
        assert office.passwords == [b"secret"]

        monkeypatch.setattr(module, "_LOOPBACK", frozenset())
        with pytest.raises(NotTaken):
            smtp.send(MAIL)

    assert (len(office.messages), office.passwords) == (1, [b"secret"])


def _certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 that only itself vouches for, and a server's end of TLS with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate_file, key_file)
    return certificate_file, tls


def _hang_up_after_data(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 hello\r\n")
        for line in lines:
            if line == b".\r\n":
                return
            command = line[:4].upper()
            if command in (b"EHLO", b"MAIL", b"RCPT"):
                connection.sendall(b"250 OK\r\n")
            elif command == b"DATA":
                connection.sendall(b"354 go on\r\n")
