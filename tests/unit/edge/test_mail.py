"""Mails to customers: into a Maildir, and over a real SMTP server."""

import mailbox
from contextlib import contextmanager, nullcontext
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from order_sagas.actors.entities import Notification
from order_sagas.actors.sagas.definition import minutes
from order_sagas.bridges.notifications.mail import MaildirChannel, SmtpChannel, letter, recipient
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.ports import free_port

NOW = 1_700_000_000.0
SENDER = "orders@shop.example"


def a_notification(**fields):
    fields = {"customer_id": "C-7", "text": "Your order o-1 is complete.", **fields}
    return Notification(order_id="o-1", status="PENDING", about="completed", **fields)


@pytest.mark.parametrize(
    ("customer_id", "address"),
    [
        ("ada@example.org", "ada@example.org"),
        ("C-7", "C-7@shop.example"),
        ("c 7", '"c 7"@shop.example'),
        ("not@an@address", '"not@an@address"@shop.example'),
    ],
)
def test_a_customer_id_becomes_an_address(customer_id, address):
    """An address stays one; anything else is a name at the shop's own domain."""
    assert address == recipient(customer_id, SENDER)


@pytest.mark.parametrize("customer_id", ["", "c\r\nBcc: all@example.org"])
def test_an_invalid_address_is_an_error_and_sends_no_mail(customer_id):
    """In particular one that contains headers."""
    with pytest.raises(ValueError, match="no mail address"):
        letter(a_notification(customer_id=customer_id), SENDER, NOW)


def test_a_mail_sent_twice_is_delivered_once(tmp_path):
    """Even after the customer has read it."""
    channel = MaildirChannel(tmp_path / "mail", SENDER)
    channel.send(a_notification(), NOW)
    channel.send(a_notification(), NOW + 60)
    box = mailbox.Maildir(tmp_path / "mail")
    ((key, read),) = box.items()
    read.set_subdir("cur")
    read.add_flag("S")
    box[key] = read
    channel.send(a_notification(), NOW + 120)

    (mail,) = mailbox.Maildir(tmp_path / "mail").values()
    assert ("C-7@shop.example", "Your order o-1 is completed") == (mail["To"], mail["Subject"])
    assert "Your order o-1 is complete.\n" == mail.get_payload()
    assert [] == list((tmp_path / "mail" / "tmp").iterdir())


class Inbox:
    """A handler that stores received mails."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"


@contextmanager
def smtp_server(inbox, port, **options):
    """A mail server, for as long as the context lasts."""
    server = Controller(inbox, hostname="127.0.0.1", port=port, **options)
    server.start()
    try:
        yield
    finally:
        server.stop()


def test_a_mail_goes_to_the_server_with_the_same_id_each_time():
    """By which a server or a reader recognises the duplicate."""
    inbox, port = Inbox(), free_port()
    channel = SmtpChannel("127.0.0.1", port, sender=SENDER)
    with smtp_server(inbox, port):
        channel.send(a_notification(text="Grüße"), NOW)
        channel.send(a_notification(text="Grüße"), NOW + 60)

    (to, first), (_, second) = inbox.mails
    assert ["C-7@shop.example"] == to
    assert "Grüße" == first.get_content().strip()
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@shop.example>")


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")  # only this test uses it
@pytest.mark.parametrize(("password", "arrived"), [("right", 1), ("wrong", 0)])
def test_a_server_that_wants_a_login_gets_one(password, arrived):
    """A wrong password is an error, so that the mail is retried."""

    def check(server, session, envelope, mechanism, data):
        known = (data.login, data.password) == (b"shop", b"right")
        return AuthResult(success=known, handled=False)

    inbox, port = Inbox(), free_port()
    channel = SmtpChannel("127.0.0.1", port, sender=SENDER, username="shop", password=password)
    with smtp_server(inbox, port, authenticator=check, auth_required=True, auth_require_tls=False):
        refused = nullcontext() if arrived else pytest.raises(OSError, match="535")
        with refused:
            channel.send(a_notification(), NOW)

    assert arrived == len(inbox.mails)


def test_a_server_without_required_encryption_gets_no_mail():
    """A fallback to plain text would disclose the password."""
    inbox, port = Inbox(), free_port()
    channel = SmtpChannel("127.0.0.1", port, sender=SENDER, starttls=True)
    with smtp_server(inbox, port), pytest.raises(OSError, match="STARTTLS"):
        channel.send(a_notification(), NOW)

    assert [] == inbox.mails


def test_a_mail_waits_for_a_server_that_is_down_and_arrives_once_it_is_up(tmp_path):
    """The order is completed meanwhile: a mail does not delay it."""
    inbox, port = Inbox(), free_port()
    channel = SmtpChannel("127.0.0.1", port, sender=SENDER)
    with EmbeddedSystem(tmp_path, channel=channel) as system:
        system.load({"PEN": 10})
        system.put(an_order(customer_id="ada@example.org"))
        (down,) = system.all_of(Notification)
        with smtp_server(inbox, port):
            system.advance(minutes(5))
        system.advance(minutes(60))
        (up,) = system.all_of(Notification)

        assert "COMPLETED" == system.status("o-1")
    assert ("PENDING", 1, 0) == (down.status, down.attempts, down.sends)
    assert "ConnectionRefusedError" in down.error
    assert ("SENT", 1) == (up.status, up.sends)
    assert [["ada@example.org"]] == [to for to, _ in inbox.mails]


def test_a_pending_mail_survives_a_crash(tmp_path):
    """It was stored as pending before the first attempt."""
    inbox, port = Inbox(), free_port()
    channel = SmtpChannel("127.0.0.1", port, sender=SENDER)
    with EmbeddedSystem(tmp_path, channel=channel) as system:
        system.load({"PEN": 10})
        system.put(an_order())
        with smtp_server(inbox, port):
            system.restart()

        assert ["SENT"] == [each.status for each in system.all_of(Notification)]
    assert 1 == len(inbox.mails)


def test_a_mail_has_no_card_number():
    """The reason of a cancellation comes from an operator or a provider."""
    mail = letter(
        a_notification(text="cancelled: card 4111 1111 1111 1111"), "shop@example.com", NOW
    )

    assert "cancelled: card [card ending 1111]" == mail.get_content().strip()
