"""Which addresses are this machine's own, and whom alone they let in."""

from __future__ import annotations

import ipaddress
import socket

from ogf.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_own(host: str) -> None:
    """Raise ConfigError unless an address, or what a name stands for, belongs to this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{host} is no address of this machine ({error.strerror})",
            where="server.host",
            hint="leave out --host to be reached from this machine alone, or name one of its own addresses",
        ) from error
