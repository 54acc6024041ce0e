"""The network that limits per address count as one client."""

from ipaddress import IPv6Address


def network_of(host: str) -> str:
    """Return the address of a client; for IPv6 its first 64 bits.

    A client with one IPv6 address commonly has 2^64 of them. IPv4 addresses that are mapped to
    IPv6, as a server on `::` receives them, are returned as IPv4.
    """
    if ":" not in host:
        return host
    address = IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
