"""Warnings about settings that are accepted, but show a secret to others."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from order_sagas.system.settings import location_types
from order_sagas.system.settings.model import Settings


def warnings_of(settings: Settings, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each secret that others can read. `sources` are by setting."""
    if sources["database"].startswith("flag") and location_types.has_password(settings.database):
        yield (
            "the password in --database is visible to all users of this machine: set "
            "ORDER_SAGAS_DATABASE, or leave it out and use PGPASSFILE"
        )
    mails_elsewhere = settings.smtp_username and not is_loopback(settings.smtp_host)
    if mails_elsewhere and not settings.smtp_starttls:
        yield (
            f"the password for {settings.smtp_host} is sent unencrypted: set smtp_starttls to true"
        )
    hosts = [each.rpartition(":")[0] for each in settings.kafka.split(",") if each]
    if (
        settings.kafka_security_protocol == "SASL_PLAINTEXT"
        and not settings.kafka_sasl_mechanism.startswith("SCRAM")
        and not all(map(is_loopback, hosts))
    ):
        yield "the login at Kafka is sent unencrypted: set kafka_security_protocol to SASL_SSL"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
