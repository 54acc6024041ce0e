"""A TCP proxy between a client and a server, with faults of the network that a test chooses.

with fault_proxies() as make:
    proxy = make(server_port)             # clients connect to 127.0.0.1:proxy.port
    proxy.slow(latency=0.05, jitter=0.02)
    proxy.black_hole()                    # half-open: nothing arrives, nothing is closed
    proxy.heal()
"""

from tests.support.fault_proxy.link import BOTH, TO_CLIENT, TO_SERVER, Direction
from tests.support.fault_proxy.proxy import FaultProxy, fault_proxies

__all__ = ["BOTH", "TO_CLIENT", "TO_SERVER", "Direction", "FaultProxy", "fault_proxies"]
