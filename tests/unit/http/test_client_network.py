"""What is one client for the limits of an address."""

import pytest

from order_sagas.bridges.http.problems import Problem
from order_sagas.bridges.http.server.authentication import ANONYMOUS, Access
from order_sagas.bridges.http.server.client_network import network_of
from order_sagas.system.http import options_of
from order_sagas.system.settings import Settings
from tests.support.http_service import tokens_file


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:3::6", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
    ],
)
def test_all_addresses_of_a_network_are_one_client(host, network):
    """A stranger with IPv6 takes another address for each connection."""
    assert network == network_of(host)


def test_a_network_has_one_rate(tmp_path):
    """Requests without a token are counted together, whatever address each comes from."""
    settings = Settings(http_tokens=str(tokens_file(tmp_path)), http_rate=0.001)
    access = Access(options_of(settings))
    scope = {"type": "http", "headers": []}

    assert ANONYMOUS == access.identify({**scope, "client": ("2001:db8::1", 50_000)})
    with pytest.raises(Problem, match="too many requests"):
        access.identify({**scope, "client": ("2001:db8::2", 50_000)})
