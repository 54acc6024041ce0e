"""Every setting, declared once: flags, environment, file, table and checks all read this."""

import functools
from pathlib import Path
from typing import Any

import attrs

from system.settings import kinds
from system.settings.kinds import Kind

ROLES = ("orchestrator", "orders", "payment", "stock", "notification")


def _setting(default: Any, kind: Kind, help: str) -> Any:
    return attrs.field(
        default=default,
        repr=(lambda value: repr(kind.show(value))) if kind.mask else True,
        metadata={"kind": kind, "help": help},
    )


def _beside_database(name: str) -> Any:
    def beside(settings: "Settings") -> Path:
        file = kinds.database_file(settings.database)
        return (file.parent if file else Path("data")) / name

    return attrs.Factory(beside, takes_self=True)


@attrs.frozen(kw_only=True)
class Settings:
    """What is in force in one process. Times are seconds, sizes bytes, amounts minor units."""

    database: str = _setting(
        "sqlite:///data/orders.db",
        kinds.database_url(),
        "Where orders, sagas and the embedded log are stored.",
    )

    file_group: str = _setting(
        "",
        kinds.text("a group name"),
        "Group of users that may read and write all files too; nothing: their owner alone.",
    )

    # Logs
    log_dir: Path = _setting(
        _beside_database("logs"),
        kinds.path(),
        "Directory of the log files; by default beside the database.",
    )
    log_level: str = _setting(
        "info",
        kinds.choice("debug", "info", "warning", "error"),
        "The least level that is logged.",
    )
    log_max_bytes: int = _setting(
        64 * 1024**2, kinds.size(), "Size at which a log file is rotated."
    )
    log_backups: int = _setting(
        10, kinds.integer(0, 10_000), "Rotated log files that are kept; 0 never rotates."
    )

    # Running
    partitions: int = _setting(
        8, kinds.integer(1, 10_000), "Partitions of every topic; fixed once the log exists."
    )
    workers: int | None = _setting(
        None,
        kinds.automatic_integer(1, 64),
        "Processes that share the work, under one supervisor; auto: one a core. At most one a "
        "partition.",
    )
    batch_size: int = _setting(
        500, kinds.integer(1, 100_000), "Records that are handled in one transaction, at most."
    )
    seed: int = _setting(
        0, kinds.integer(0), "Seed of retry jitter and of the simulated payment provider."
    )
    deadline_scale: float = _setting(
        1.0, kinds.number_above(0), "Every deadline of every saga is multiplied by this."
    )
    keep_finished: float | None = _setting(
        None,
        kinds.optional_duration(),
        "How long orders are kept after their end; none: for ever. Longer than any service may be "
        "down.",
    )
    keep_idempotency_keys: float | None = _setting(
        7 * 86_400.0,
        kinds.optional_duration(),
        "How long the Idempotency-Key of an order is remembered; none: for ever. Longer than any "
        "client goes on trying.",
    )
    roles: tuple[str, ...] = _setting(
        ROLES, kinds.choices(*ROLES), "What this process runs; the others run elsewhere."
    )

    # HTTP
    http: str = _setting(
        "", kinds.address(), "Where `start` serves HTTP too; nothing: only `http` does."
    )
    http_tokens: str = _setting(
        "",
        kinds.text("a path"),
        "File of the bearer tokens that are let in; nothing: this machine alone, without tokens.",
    )
    http_rate: float = _setting(
        1000.0,
        kinds.number_from(0),
        "Requests a second from one token, or one address without; 0: any number.",
    )
    http_max_body: int = _setting(256 * 1024, kinds.size(), "Largest body of a request.")
    http_queue: int = _setting(
        1000,
        kinds.integer(1, 100_000),
        "Orders that may wait to be stored; more are asked to come again.",
    )
    http_connections: int = _setting(
        1000, kinds.integer(1, 100_000), "Connections that may be open at once."
    )
    http_timeout: float = _setting(
        10.0,
        kinds.duration(zero=False),
        "How long a client may take to send its request, or stay silent before the next.",
    )

    # Observability
    metrics: str = _setting(
        "",
        kinds.address(),
        "Where `start` serves metrics of its workers to Prometheus; nothing: nowhere.",
    )
    otel_endpoint: str = _setting(
        "",
        kinds.text("a URL"),
        "Where a trace of each saga goes: OTLP over HTTP; nothing: what OTEL_EXPORTER_OTLP_* say.",
    )

    # The simulated payment provider
    payment_decline_above: int | None = _setting(
        None, kinds.optional_integer(0), "Decline payments above this amount, in minor units."
    )
    payment_decline_customers: tuple[str, ...] = _setting(
        (), kinds.names("customer ids, separated by commas"), "Decline payments of these customers."
    )
    payment_decline_rate: float = _setting(
        0.0, kinds.rate(), "Share of payments that are declined."
    )
    payment_silent_rate: float = _setting(
        0.0, kinds.rate(), "Share of payments that get no answer at first."
    )
    payment_silent_attempts: int = _setting(
        1, kinds.integer(1), "How many attempts such a payment gets no answer to."
    )
    payment_delay: float = _setting(
        0.0, kinds.duration(), "How long the payment provider takes to answer."
    )

    # The simulated warehouse
    stock_silent_rate: float = _setting(
        0.0, kinds.rate(), "Share of reservations whose first attempt gets no answer."
    )

    # Notifications
    notification_channel: str = _setting(
        "log", kinds.choice("log", "maildir", "smtp"), "How customers are told."
    )
    maildir: Path = _setting(
        _beside_database("mail"),
        kinds.path(),
        "Directory of the maildir channel; by default beside the database.",
    )
    smtp_host: str = _setting("localhost", kinds.text("a host name"), "Mail server.")
    smtp_port: int = _setting(25, kinds.integer(1, 65535), "Port of the mail server.")
    smtp_from: str = _setting(
        "orders@localhost", kinds.text("a mail address"), "Sender of the mails."
    )
    smtp_username: str = _setting("", kinds.text(), "User at the mail server; nothing: no login.")
    smtp_password: str = _setting("", kinds.secret(), "Password at the mail server.")
    smtp_starttls: bool = _setting(False, kinds.flag(), "Encrypt the mail connection (STARTTLS).")

    # Kafka
    kafka: str = _setting("", kinds.addresses(), "Kafka brokers; nothing: the embedded log.")
    kafka_group: str = _setting("order-sagas", kinds.text("a name"), "Consumer group.")
    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        kinds.choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", fold=str.upper),
        "How the connection is protected.",
    )
    kafka_sasl_mechanism: str = _setting(
        "",
        kinds.optional_choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
        "How the user proves who it is.",
    )
    kafka_username: str = _setting("", kinds.text(), "User at the brokers.")
    kafka_password: str = _setting("", kinds.secret(), "Password at the brokers.")
    kafka_token_file: str = _setting(
        "",
        kinds.text("a path"),
        "File that holds the token for OAUTHBEARER; read again at each connection.",
    )
    kafka_token_command: str = _setting(
        "",
        kinds.text("a command"),
        "Command that prints the token for OAUTHBEARER; run again at each connection.",
    )
    kafka_ssl_cafile: str = _setting("", kinds.text("a path"), "Certificates that are trusted.")
    kafka_ssl_certfile: str = _setting("", kinds.text("a path"), "Certificate of this client.")
    kafka_ssl_keyfile: str = _setting("", kinds.text("a path"), "Key of that certificate.")
    kafka_ssl_key_password: str = _setting("", kinds.secret(), "Password of that key.")
    kafka_ssl_check_hostname: bool = _setting(
        True, kinds.flag(), "Refuse a broker whose certificate is for another host name."
    )
    replication: int = _setting(
        1, kinds.integer(1, 100), "Replicas of every topic that is created."
    )
    retention_hours: int = _setting(
        168, kinds.integer(1), "Hours that Kafka keeps the records of topics that are created."
    )
    session_timeout: float = _setting(
        30.0, kinds.duration(zero=False), "Silence after which a worker counts as dead."
    )
    outage_grace: float = _setting(
        3600.0,
        kinds.duration(),
        "How much longer a saga waits for an answer, at most, while Kafka or the database is away.",
    )


@attrs.frozen
class Declared:
    """One row of the declaration above."""

    name: str
    kind: Kind
    help: str
    default: str
    """As a person would write it."""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


PREFIX = "ORDER_SAGAS_"


@functools.cache
def declared() -> tuple[Declared, ...]:
    """All settings, in the order of the declaration."""
    defaults = Settings()
    return tuple(
        Declared(
            field.name,
            field.metadata["kind"],
            field.metadata["help"],
            default=field.metadata["kind"].show(getattr(defaults, field.name)),
        )
        for field in attrs.fields(Settings)
    )
