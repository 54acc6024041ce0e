"""The order business as an app: the default of the setting `app`."""

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.services.notifications import Channel, LogChannel, NotificationService
from order_sagas.actors.services.orders import OrderService
from order_sagas.actors.services.payments import PaymentService
from order_sagas.actors.services.simulated_gateway import Silence, SimulatedGateway
from order_sagas.actors.services.stock import StockService
from order_sagas.system.app import App
from order_sagas.system.settings import Settings


def channel_of(settings: Settings) -> Channel:
    """Return the channel of notifications that the settings name."""
    if settings.notification_channel == "log":
        return LogChannel()
    # Imported here: only a worker that sends mails needs the mail libraries.
    from order_sagas.bridges.notifications.mail import MaildirChannel, SmtpChannel

    if settings.notification_channel == "maildir":
        return MaildirChannel(settings.maildir, settings.smtp_from)
    return SmtpChannel(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.smtp_from,
        username=settings.smtp_username,
        password=settings.smtp_password,
        starttls=settings.smtp_starttls,
    )


def simulated_gateway(settings: Settings) -> SimulatedGateway:
    """Return the simulated payment provider that the settings describe."""
    return SimulatedGateway(
        decline_above=settings.payment_decline_above,
        decline_customers=frozenset(settings.payment_decline_customers),
        decline_rate=settings.payment_decline_rate,
        silence=Silence(
            settings.payment_silent_rate,
            settings.payment_silent_attempts,
            settings.seed,
            "payment",
        ),
        delay=settings.payment_delay,
        seed=settings.seed,
    )


def unanswered_reservations(settings: Settings) -> Silence:
    """Return the reservations that the simulated warehouse does not answer at first."""
    return Silence(settings.stock_silent_rate, 1, settings.seed, "stock")


APP = App(
    sagas=(PLACE_ORDER,),
    services=(OrderService, PaymentService, StockService, NotificationService),
    clients={
        "payments": simulated_gateway,
        "stock": unanswered_reservations,
        "notifications": channel_of,
    },
)
"""Orders with payment, stock and notifications."""
