"""Lists the sockets on which a tree of processes listens, from /proc."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency

ACCEPTS = 0x10000
"""The flag of a Unix socket that accepts connections (__SO_ACCEPTCON)."""
DATAGRAM = 2
TCP_LISTEN = "0A"
NOBODY = {"00000000:0000", "0" * 32 + ":0000"}
"""The remote address of a socket that accepts packets of any sender."""

Listener = tuple[str, str]
"""Protocol ("tcp", "udp6", "unix", ...), and address: HOST:PORT or the path of a socket."""


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its running descendants."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def listeners(pid: int) -> set[Listener]:
    """Return the listening sockets of a process and its descendants, of all address families."""
    found = set()
    for process in tree(pid):
        try:
            open_now = set(_inodes(process.pid))
            for protocol, address, inode in _listening(process.pid):
                if inode in open_now:
                    found.add((protocol, address))
        except (FileNotFoundError, ProcessLookupError):
            continue  # the process has ended
    return found


def _inodes(pid: int) -> Iterator[str]:
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _listening(pid: int) -> Iterator[tuple[str, str, str]]:
    for protocol in ("tcp", "tcp6"):
        for fields in _rows(pid, protocol):
            if fields[3] == TCP_LISTEN:
                yield protocol, _address(fields[1]), fields[9]
    for protocol in ("udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"):
        for fields in _rows(pid, protocol):
            if fields[2] in NOBODY:
                yield protocol, _address(fields[1]), fields[9]
    for fields in _rows(pid, "unix"):
        path = fields[7] if len(fields) > 7 else ""
        if int(fields[3], 16) & ACCEPTS or (path and int(fields[4], 16) == DATAGRAM):
            yield "unix", path, fields[6]
    for fields in _rows(pid, "packet"):
        yield "packet", fields[3], fields[8]


def _rows(pid: int, table: str) -> Iterator[list[str]]:
    file = Path(f"/proc/{pid}/net/{table}")
    if file.exists():  # a kernel without IPv6 has no table for it
        for line in file.read_text().splitlines()[1:]:
            yield line.split(maxsplit=7) if table == "unix" else line.split()


def _address(written: str) -> str:
    host, port = written.split(":")
    words = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return f"{socket.inet_ntop(family, b''.join(words))}:{int(port, 16)}"
