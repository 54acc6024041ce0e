"""Connection settings of a Kafka cluster, from which all clients are created."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
from kafka.net.sasl.oauth import AbstractTokenProvider

from order_sagas.bridges.kafka.errors import (
    BrokerUnreachableError,
    NotAcknowledgedError,
    map_errors,
)

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
LoginMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


@attrs.frozen(kw_only=True)
class KafkaConnection:
    """Address, TLS and login of a cluster. Secrets appear neither in its `repr` nor in log lines.

    Raises ValueError if the protocol or the mechanism needs something that is missing.
    """

    bootstrap_servers: str
    """`host:port[,host:port]`: some brokers of the cluster, which know the others."""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: LoginMechanism | None = None
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    oauth_token: Callable[[], str] | None = attrs.field(default=None, repr=False)
    """Returns a valid token; called for each connection, on a thread of the client."""
    ssl_ca: Path | None = None
    """PEM file with the trusted certificate authorities; by default those of the machine."""
    ssl_certificate: Path | None = None
    """PEM file with the client certificate, for brokers that require one."""
    ssl_key: Path | None = None
    ssl_key_password: str | None = attrs.field(default=None, repr=False)
    ssl_check_hostname: bool = True
    client_id: str = "order-sagas"
    connect_timeout: float = 10.0
    """Seconds within which a new client must have connected to a broker."""

    def __attrs_post_init__(self) -> None:
        if not self.servers:
            raise ValueError("No Kafka server is named in bootstrap_servers.")
        if self.security_protocol.startswith("SASL") != (self.sasl_mechanism is not None):
            raise ValueError(
                f"{self.security_protocol} and the login mechanism {self.sasl_mechanism} "
                "do not go together: SASL_* needs a mechanism, the other protocols take none."
            )
        if self.sasl_mechanism == "OAUTHBEARER" and self.oauth_token is None:
            raise ValueError("OAUTHBEARER needs a source of tokens.")
        needs_password = self.sasl_mechanism not in (None, "OAUTHBEARER")
        if needs_password and (self.username is None or self.password is None):
            raise ValueError(f"{self.sasl_mechanism} needs a user name and a password.")

    @property
    def servers(self) -> Sequence[str]:
        """The `host:port` entries, one by one."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def client_settings(self) -> dict[str, Any]:
        """The settings that kafka-python's consumer, producer and admin client share."""
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
            # The client's default of 30 s would make every outage that much longer.
            "reconnect_backoff_max_ms": 1000,
            "bootstrap_timeout_ms": int(self.connect_timeout * 1000),
        }

    def make(self, client: Callable[..., Any], **settings: Any) -> Any:
        """Create a client of this cluster: `KafkaConsumer`, `KafkaProducer` or `KafkaAdminClient`.

        Raises BrokerUnreachableError, also if a broker listens but the connection is not
        established: the client cannot distinguish a refused login from a slow broker.
        """
        self.check_reachable()
        try:
            with map_errors():
                return client(**self.client_settings(), **settings)
        except NotAcknowledgedError as error:
            raise BrokerUnreachableError(
                f"Kafka listens at {self.bootstrap_servers}, but connecting by "
                f"{self.security_protocol} and {self.sasl_mechanism or 'no login'} failed: "
                "check the protocol, the certificates, the mechanism and the password."
            ) from error

    def check_reachable(self, timeout: float = 2.0) -> None:
        """Raise BrokerUnreachableError if no server accepts a connection in `timeout` seconds.

        A client that is created while no server listens blocks for its whole bootstrap timeout and
        leaves a thread behind, so this is checked first.
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


class _Tokens(AbstractTokenProvider):
    def __init__(self, source: Callable[[], str]) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
