"""Optional dependencies: which are installed, and the command that installs the others."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from order_sagas.bridges.errors import BridgeError

DISTRIBUTION = "order-sagas"
"""Name of the distribution, for pip."""

MODULES = {
    "postgres": ("psycopg",),
    "http": ("starlette", "uvicorn", "httptools", "uvloop", "prometheus_client"),
    "metrics": ("prometheus_client",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
}
"""Modules that each extra of setup.cfg provides. Extras that only tests use are not listed."""
LOADED = frozenset({"postgres"})
"""Extras whose modules must be imported to be checked: psycopg can be installed without libpq."""

USES = {
    "postgres": "PostgreSQL",
    "http": "HTTP",
    "metrics": "serving metrics",
    "otel": "exporting traces",
}
"""What each extra is for, as it appears in messages."""


class MissingExtraError(BridgeError, ImportError):
    """An optional dependency is missing. The message contains the command that installs it."""


def need(extra: str) -> None:
    """Raise MissingExtraError unless every module of the extra is installed.

    Imports only their parent packages, and the modules of the extras in LOADED.
    """
    is_there = _can_be_loaded if extra in LOADED else _is_installed
    missing = [name for name in MODULES[extra] if not is_there(name)]
    if missing:
        raise MissingExtraError(
            f"{USES[extra]} needs {', '.join(missing)}: {install_command(extra)}"
        )


def install_command(extra: str) -> str:
    """The command that installs the extra, ready to be pasted into a shell.

    order-sagas is on no package index, so `pip install order-sagas[...]` would find nothing. If it
    was installed from a folder, an archive or a repository that still exists, the command installs
    it from there with the extra; otherwise it installs the packages of the extra by name.
    """
    wanted = _from_origin(extra) or _requirements(extra)
    return shlex.join([_python(), "-m", "pip", "install", *wanted])


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def _can_be_loaded(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def _python() -> str:
    """Path of this interpreter, relative to the working directory if it is inside."""
    path = Path(sys.executable)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _from_origin(extra: str) -> list[str]:
    """Arguments for pip that name where this was installed from; empty if that is unknown."""
    for found in metadata.distributions(name=DISTRIBUTION):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        url = origin.get("url", "")
        if urlsplit(url).scheme != "file":
            if url:
                return [f"{DISTRIBUTION}[{extra}] @ {_with_revision(url, origin)}"]
            continue
        place = Path(url2pathname(urlsplit(url).path))
        if not place.exists():
            continue
        if origin.get("dir_info", {}).get("editable"):
            return ["-e", f"{'.' if place == Path.cwd() else place}[{extra}]"]
        return [f"{DISTRIBUTION}[{extra}] @ {url}"]
    return []


def _with_revision(url: str, origin: dict[str, Any]) -> str:
    """A URL as pip takes it. For a repository, it includes the kind and the commit."""
    vcs = origin.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url


def _requirements(extra: str) -> list[str]:
    """The packages of the extra from the installed metadata, or its modules if there is none."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        required = []
    return list(_of_extra(required, extra)) or [name.replace("_", "-") for name in MODULES[extra]]


_REQUIREMENT = re.compile(r"""(?P<package>[^;]+?)\s*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")


def _of_extra(required: list[str], extra: str) -> Iterator[str]:
    for each in required:
        found = _REQUIREMENT.match(each)
        if found and found["extra"] == extra:
            yield found["package"]
