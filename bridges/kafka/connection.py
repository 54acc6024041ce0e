"""Where Kafka is and how to log in there; what every client of ours is made with."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
from kafka.net.sasl.oauth import AbstractTokenProvider

from bridges.kafka.errors import BrokerUnreachableError, NotAcknowledgedError, map_errors

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
LoginMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


@attrs.frozen(kw_only=True)
class KafkaConnection:
    """A cluster's address, TLS and login. No secret appears in its `repr`, nor in any log line.

    Raises `ValueError` when something that the protocol or the mechanism needs is not there.
    """

    bootstrap_servers: str
    """`host:port[,host:port]`: any brokers of the cluster; they name the others."""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: LoginMechanism | None = None
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    oauth_token: Callable[[], str] | None = attrs.field(default=None, repr=False)
    """Answers with a token that is valid now; asked at each connection, on a client's thread."""
    ssl_ca: Path | None = None
    """PEM file with whom to trust; without one, whom the machine trusts."""
    ssl_certificate: Path | None = None
    """PEM file that says who we are, for brokers that ask."""
    ssl_key: Path | None = None
    ssl_key_password: str | None = attrs.field(default=None, repr=False)
    ssl_check_hostname: bool = True
    client_id: str = "order-sagas"
    connect_timeout: float = 10.0
    """Seconds in which a client that is made must get through to a broker."""

    def __attrs_post_init__(self) -> None:
        if not self.servers:
            raise ValueError("No Kafka server was named.")
        if self.security_protocol.startswith("SASL") != (self.sasl_mechanism is not None):
            raise ValueError(
                f"{self.security_protocol} and the login mechanism {self.sasl_mechanism} "
                "do not go together: name a mechanism with SASL_*, and none without."
            )
        if self.sasl_mechanism == "OAUTHBEARER" and self.oauth_token is None:
            raise ValueError("OAUTHBEARER needs a source of tokens.")
        needs_password = self.sasl_mechanism not in (None, "OAUTHBEARER")
        if needs_password and (self.username is None or self.password is None):
            raise ValueError(f"{self.sasl_mechanism} needs a user name and a password.")

    @property
    def servers(self) -> Sequence[str]:
        """Each `host:port` on its own."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def client_settings(self) -> dict[str, Any]:
        """What kafka-python's consumer, producer and admin client alike are made with."""
        tokens = _Tokens(self.oauth_token) if self.oauth_token is not None else None
        return {
            "bootstrap_servers": list(self.servers),
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "sasl_oauth_token_provider": tokens,
            "ssl_cafile": _text(self.ssl_ca),
            "ssl_certfile": _text(self.ssl_certificate),
            "ssl_keyfile": _text(self.ssl_key),
            "ssl_password": self.ssl_key_password,
            "ssl_check_hostname": self.ssl_check_hostname,
            # The client's half a minute would make every outage that much longer for us.
            "reconnect_backoff_max_ms": 1000,
            "bootstrap_timeout_ms": int(self.connect_timeout * 1000),
        }

    def make(self, client: Callable[..., Any], **settings: Any) -> Any:
        """A client of this cluster: `KafkaConsumer`, `KafkaProducer` or `KafkaAdminClient`.

        Raises `BrokerUnreachableError`, also where a broker listens but nobody gets through to
        it: the client cannot tell a login that is refused from a broker that takes its time.
        """
        self.knock()
        try:
            with map_errors():
                return client(**self.client_settings(), **settings)
        except NotAcknowledgedError as error:
            raise BrokerUnreachableError(
                f"Kafka listens at {self.bootstrap_servers}, but lets nobody through by "
                f"{self.security_protocol} and {self.sasl_mechanism or 'no login'}: "
                "are protocol, certificates, mechanism and password right?"
            ) from error

    def knock(self, timeout: float = 2.0) -> None:
        """Raise `BrokerUnreachableError` when no server accepts a connection in `timeout` seconds.

        A client that is made while nobody listens blocks for its whole bootstrap timeout and
        leaves a thread behind; so knock first.
        """
        reasons = []
        for server in self.servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout).close()
            except (OSError, ValueError) as error:
                reasons.append(f"{server}: {error}")
            else:
                return
        raise BrokerUnreachableError(f"No Kafka broker answers ({'; '.join(reasons)}).")


@attrs.frozen
class KafkaLog:
    """What the bridge needs to reach Kafka. Times are seconds."""

    connection: KafkaConnection
    group: str
    """The consumer group of the workers with all roles."""
    consumer: str
    """The consumer group of the workers with this one's roles."""
    session_timeout: float = 10.0


class _Tokens(AbstractTokenProvider):
    def __init__(self, source: Callable[[], str]) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
