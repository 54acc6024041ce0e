"""Whether what HTTP needs is installed: it is an extra, for those who want it."""

from importlib.util import find_spec

from bridges.errors import BridgeError

NEEDED = ("starlette", "uvicorn", "httptools", "uvloop", "prometheus_client")


class HttpNotInstalledError(BridgeError):
    """HTTP was asked for, and what it needs is not there."""


def need_http() -> None:
    """Raise HttpNotInstalledError unless all of it is installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise HttpNotInstalledError(
            f"HTTP needs {', '.join(missing)}: pip install '.[http]' where order-sagas was cloned"
        )
