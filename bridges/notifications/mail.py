"""Mail channels: into a Maildir, or through a mail server.

The recipient is the customer id if it is a mail address, otherwise the customer id at the sender's
domain: `C-7` of a shop that sends from `orders@shop.example` is `C-7@shop.example`, an alias that
the shop's mail server has to resolve.
"""

import os
import re
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from hashlib import blake2b
from pathlib import Path

import attrs

from order_sagas.actors.entities import Notification
from order_sagas.bridges.redaction import without_cards

SECONDS = 20.0
"""Timeout of each command to a mail server, in seconds."""

_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+")


def letter(notification: Notification, sender: str, now: float) -> EmailMessage:
    """The mail for a notification. Its Message-ID is always the same for the same notification.

    Raises ValueError if no address can be made from the customer id.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = recipient(notification.customer_id, sender)
    mail["Subject"] = f"Your order {_one_line(notification.order_id)} is {notification.about}"
    mail["Date"] = formatdate(now)
    mail["Message-ID"] = f"<{name_of(notification)}@{_domain(sender)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices in return
    mail.set_content(without_cards(notification.text))
    return mail


def recipient(customer_id: str, sender: str) -> str:
    """The mail address of a customer; see the docstring of the module. Raises ValueError."""
    if _ADDRESS.fullmatch(customer_id):
        return customer_id
    if not customer_id or any(ord(character) < 32 for character in customer_id):
        raise ValueError(f"there is no mail address for customer {customer_id!r}")
    return str(Address(username=customer_id, domain=_domain(sender)))


def name_of(notification: Notification) -> str:
    """The name of an order's notification, for file names and Message-IDs."""
    return blake2b(
        f"{notification.order_id}\n{notification.about}".encode(), digest_size=16
    ).hexdigest()


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2].rstrip("> ") or "localhost"


def _one_line(text: str) -> str:
    return " ".join(text.split())


@attrs.frozen
class MaildirChannel:
    """Puts mails into a Maildir. A mail that is already there, read or not, is not added again."""

    directory: Path
    sender: str = "orders@localhost"

    name: str = attrs.field(default="maildir", init=False)
    local: bool = attrs.field(default=False, init=False)

    def send(self, notification: Notification, now: float) -> None:
        """Write the mail under `tmp`, then move it to `new`, so that it appears as a whole.

        Raises OSError if it cannot be written.
        """
        name = f"{name_of(notification)}.order-sagas"
        for part in ("tmp", "new", "cur"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        # Mail readers move a mail to `cur`, and append `:2,` and flags to its name.
        if (self.directory / "new" / name).exists() or any(
            (self.directory / "cur").glob(f"{name}*")
        ):
            return
        content = letter(notification, self.sender, now).as_bytes(policy=SMTPUTF8)
        draft = self.directory / "tmp" / name
        with draft.open("wb") as file:
            file.write(content.replace(b"\r\n", b"\n"))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.directory / "new" / name)


@attrs.frozen
class SmtpChannel:
    """Sends mails through a mail server, with one connection for each mail.

    Delivery: at least once. A mail is sent twice if the server's answer is lost, or if the process
    dies between the answer and the commit. Both have the same Message-ID, by which mail servers and
    readers recognise the duplicate. Raises OSError or smtplib.SMTPException.
    """

    host: str
    port: int
    sender: str = attrs.field(kw_only=True)
    username: str = attrs.field(default="", kw_only=True)
    password: str = attrs.field(default="", kw_only=True, repr=False)
    starttls: bool = attrs.field(default=False, kw_only=True)
    timeout: float = attrs.field(default=SECONDS, kw_only=True)

    name: str = attrs.field(default="smtp", init=False)
    local: bool = attrs.field(default=False, init=False)

    def send(self, notification: Notification, now: float) -> None:
        """Send the mail; each command has `timeout` seconds."""
        mail = letter(notification, self.sender, now)
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout) as server:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.username:
                server.login(self.username, self.password)
            server.send_message(mail)
