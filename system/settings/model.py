"""Declares every setting, for flags, environment, file, documentation and validation."""

import functools
from pathlib import Path
from typing import Any

import attrs

from order_sagas.actors.wire_forms import WIRE_FORMS
from order_sagas.system.settings import location_types as locations
from order_sagas.system.settings import value_types as kinds
from order_sagas.system.settings.value_types import Kind

COMMANDED, CHOREOGRAPHED = "commanded", "choreographed"
"""What the services act on: the saga's commands, or events of each other."""

PRODUCER, OUTBOX_TABLE = "producer", "outbox-table"
"""What publishes records to Kafka: a producer of this system, or change data capture of a table."""


def _setting(default: Any, kind: Kind, help: str) -> Any:
    return attrs.field(
        default=default,
        repr=(lambda value: repr(kind.show(value))) if kind.mask else True,
        metadata={"kind": kind, "help": help},
    )


def _beside_database(name: str) -> Any:
    def beside(settings: "Settings") -> Path:
        file = locations.database_file(settings.database)
        return (file.parent if file else Path("data")) / name

    return attrs.Factory(beside, takes_self=True)


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of one process. Times in seconds, sizes in bytes, amounts in minor units."""

    database: str = _setting(
        "sqlite:///data/orders.db",
        locations.database_url(),
        "Where orders, sagas and the embedded log are stored.",
    )

    app: str = _setting(
        "order_sagas.system.order_app:APP",
        kinds.reference(),
        "The business that runs: the sagas, services and clients of this object of class App.",
    )

    file_group: str = _setting(
        "",
        kinds.text("a group name"),
        "Group of users that may read and write all files too; empty: only their owner.",
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
        "Minimum level of the lines that are logged.",
    )
    log_max_bytes: int = _setting(
        64 * 1024**2, kinds.size(), "Size at which a log file is rotated."
    )
    log_backups: int = _setting(
        10, kinds.integer(0, 10_000), "Number of rotated log files to keep; 0: no rotation."
    )

    # Running
    partitions: int = _setting(
        8, kinds.integer(1, 10_000), "Partitions of every topic; fixed once the log exists."
    )
    workers: int | None = _setting(
        None,
        kinds.optional(kinds.integer(1, 64), "auto"),
        "Number of worker processes under the supervisor, at most one per partition; auto: one per "
        "core.",
    )
    batch_size: int = _setting(
        500, kinds.integer(1, 100_000), "Maximum number of records handled in one transaction."
    )
    seed: int = _setting(
        0, kinds.integer(0), "Seed of retry jitter and of the simulated payment provider."
    )
    deadline_scale: float = _setting(
        1.0, kinds.number_above(0), "Factor by which every deadline of every saga is multiplied."
    )
    keep_finished: float | None = _setting(
        None,
        kinds.optional(kinds.duration(zero=False)),
        "How long orders are kept after their end; none: for ever. Must exceed any downtime of "
        "a service.",
    )
    keep_idempotency_keys: float | None = _setting(
        7 * 86_400.0,
        kinds.optional(kinds.duration(zero=False)),
        "How long the Idempotency-Key of an order is stored; none: for ever. Must exceed the time "
        "for which clients retry.",
    )
    keep_early_replies: float = _setting(
        86_400.0,
        kinds.duration(),
        "How long a reply is kept that comes before its saga begins or its step is sent; 0: such "
        "a reply is a dead letter at once.",
    )
    most_early_replies: int = _setting(
        10_000,
        kinds.integer(1, 1_000_000),
        "Maximum number of early replies that a worker keeps; further ones are dead letters.",
    )
    keep_operator_actions: float | None = _setting(
        400 * 86_400.0,
        kinds.optional(kinds.duration(zero=False)),
        "How long the log of operators' actions is kept; none: for ever.",
    )
    approval_above: tuple[tuple[str, int], ...] = _setting(
        (),
        kinds.money_limits(),
        "Amounts of orders above which an operator's cancel, and what goes on with a "
        "compensation, needs the approval of a second person; empty: none. Without http_tokens, a "
        "person is the name that is given.",
    )
    services: str = _setting(
        COMMANDED,
        kinds.choice(COMMANDED, CHOREOGRAPHED),
        "How the services of orders learn what to do: by commands, or choreographed, by events of "
        "each other; then all but `orders` run elsewhere.",
    )
    roles: tuple[str, ...] = _setting(
        (),
        kinds.names("names of roles of the app, separated by commas"),
        "Roles that this process runs; empty: all. Others run in other processes.",
    )

    # HTTP
    http: str = _setting(
        "",
        locations.address(),
        "Address at which `start` serves HTTP; empty: `start` serves no HTTP.",
    )
    http_tokens: str = _setting(
        "",
        kinds.text("a path"),
        "File of the accepted bearer tokens; empty: no tokens, and only this machine is served.",
    )
    http_rate: float = _setting(
        1000.0,
        kinds.number_from(0),
        "Maximum requests per second of a token, or of an address without token; 0: no limit.",
    )
    http_max_body: int = _setting(256 * 1024, kinds.size(), "Maximum size of a request body.")
    http_queue: int = _setting(
        1000,
        kinds.integer(1, 100_000),
        "Maximum number of orders that wait to be stored; further ones are answered with 503.",
    )
    http_connections: int = _setting(
        1000, kinds.integer(1, 100_000), "Maximum number of open connections."
    )
    http_connections_of_address: int = _setting(
        500,
        kinds.integer(0, 100_000),
        "Maximum number of open connections of one address; 0: no limit. Behind a proxy, which has "
        "one address, let the proxy limit them.",
    )
    http_timeout: float = _setting(
        10.0,
        kinds.duration(zero=False),
        "Time limit for a request to arrive, and for an idle connection.",
    )
    http_trace_link: str = _setting(
        "",
        locations.link_template(),
        "URL of a saga's trace in another system, with {trace_id}; the page links to it.",
    )
    http_log_link: str = _setting(
        "",
        locations.link_template(),
        "URL of a saga's log lines in another system, with {order_id} or {saga_id}.",
    )

    # Observability
    metrics: str = _setting(
        "",
        locations.address(),
        "Address at which `start` serves its workers' metrics to Prometheus; empty: no metrics.",
    )
    metrics_tokens: str = _setting(
        "",
        kinds.text("a path"),
        "File of the bearer tokens that may read these metrics, as http_tokens has them; empty: no "
        "token is needed.",
    )
    otel_endpoint: str = _setting(
        "",
        locations.endpoint(),
        "OTLP/HTTP endpoint for the traces of sagas; empty: as OTEL_EXPORTER_OTLP_* specify.",
    )

    trace_headers: bool = _setting(
        False,
        kinds.flag(),
        "Pass the W3C trace context of the record that starts a saga on to each of its records, "
        "even if no traces are exported.",
    )

    # The simulated payment provider
    payment_decline_above: int | None = _setting(
        None,
        kinds.optional(kinds.integer(0)),
        "Decline payments above this amount, in minor units.",
    )
    payment_decline_customers: tuple[str, ...] = _setting(
        (), kinds.names("customer ids, separated by commas"), "Decline payments of these customers."
    )
    payment_decline_rate: float = _setting(
        0.0, kinds.rate(), "Share of payments that are declined."
    )
    payment_silent_rate: float = _setting(
        0.0, kinds.rate(), "Share of payments whose first attempts get no reply."
    )
    payment_silent_attempts: int = _setting(
        1, kinds.integer(1), "Number of attempts of such a payment without a reply."
    )
    payment_delay: float = _setting(0.0, kinds.duration(), "Response time of the payment provider.")

    # The simulated warehouse
    stock_silent_rate: float = _setting(
        0.0, kinds.rate(), "Share of reservations whose first attempt gets no reply."
    )

    # Notifications
    notification_channel: str = _setting(
        "log", kinds.choice("log", "maildir", "smtp"), "Channel for notifications of customers."
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
    smtp_username: str = _setting("", kinds.text(), "User at the mail server; empty: no login.")
    smtp_password: str = _setting("", kinds.secret(), "Password at the mail server.")
    smtp_starttls: bool = _setting(False, kinds.flag(), "Encrypt the mail connection (STARTTLS).")

    # Kafka
    kafka: str = _setting("", locations.addresses(), "Kafka brokers; empty: the embedded log.")
    kafka_group: str = _setting("order-sagas", kinds.text("a name"), "Consumer group.")
    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        kinds.choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", fold=str.upper),
        "Encryption and authentication of the connection.",
    )
    kafka_sasl_mechanism: str = _setting(
        "",
        kinds.optional_choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
        "Authentication mechanism, if the protocol uses SASL.",
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
        locations.command(),
        "Command that prints the token for OAUTHBEARER; run again at each connection.",
    )
    kafka_ssl_cafile: str = _setting("", kinds.text("a path"), "Trusted CA certificates.")
    kafka_ssl_certfile: str = _setting("", kinds.text("a path"), "Certificate of this client.")
    kafka_ssl_keyfile: str = _setting("", kinds.text("a path"), "Key of that certificate.")
    kafka_ssl_key_password: str = _setting("", kinds.secret(), "Password of that key.")
    kafka_ssl_check_hostname: bool = _setting(
        True, kinds.flag(), "Refuse a broker whose certificate is for another host name."
    )
    wire_forms: tuple[tuple[str, str], ...] = _setting(
        (),
        kinds.pairs("a topic", *WIRE_FORMS),
        "Form in which records are written to topics; others as their participants declare.",
    )
    cloud_events: tuple[str, ...] = _setting(
        (),
        kinds.names("names of topics, separated by commas"),
        "Topics whose records get the headers of CloudEvents 1.0 (binary mode).",
    )
    cloud_events_source: str = _setting(
        "order-sagas",
        kinds.filled("a URI reference"),
        "The source of these CloudEvents; differs between systems that share topics.",
    )
    publish: str = _setting(
        PRODUCER,
        kinds.choice(PRODUCER, OUTBOX_TABLE),
        "Who publishes records to Kafka: this system, or change data capture (Debezium) of the "
        "table outbox_events, in which they are left.",
    )
    keep_outbox_events: float = _setting(
        7 * 86_400.0,
        kinds.duration(zero=False),
        "How long rows of outbox_events are kept. Must exceed any downtime of the capture.",
    )
    replication: int = _setting(
        1, kinds.integer(1, 100), "Replicas of every topic that is created."
    )
    retention_hours: int = _setting(
        168, kinds.integer(1), "Retention in hours of the topics that are created."
    )
    session_timeout: float = _setting(
        30.0,
        kinds.duration(zero=False),
        "Time without heartbeat after which a worker is considered dead.",
    )
    outage_grace: float = _setting(
        3600.0,
        kinds.duration(),
        "Maximum time by which an outage of Kafka or the database postpones deadlines.",
    )


@attrs.frozen
class Declared:
    """The declaration of one setting."""

    name: str
    kind: Kind
    help: str
    default: str
    """The default as text, as in the file or the environment."""

    @property
    def flag(self) -> str:
        """The command line flag, such as `--batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable, such as `ORDER_SAGAS_BATCH_SIZE`."""
        return PREFIX + self.name.upper()


PREFIX = "ORDER_SAGAS_"


@functools.cache
def declared() -> tuple[Declared, ...]:
    """Return all settings, in the order of their declaration."""
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
