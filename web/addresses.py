"""Addresses as other machines open them."""

import errno
import ipaddress
import socket
from urllib.parse import urlsplit

from stylizer.config import Settings
from stylizer.errors import Unavailable

LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERYWHERE = ("0.0.0.0", "::")


def reachable_host(host: str) -> str:
    """0.0.0.0 and :: listen everywhere; others reach us by the address of our way out (no packet is sent)."""
    if host in LOOPBACK:
        return "localhost"
    if host not in EVERYWHERE:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way_out:
        try:
            way_out.connect(("192.0.2.1", 9))
            return str(way_out.getsockname()[0])
        except OSError:  # no network at all
            return "localhost"


def url(host: str, port: int) -> str:
    """`host` as `reachable_host` gives it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_port_free(host: str, port: int, variable: str) -> None:
    """Raises Unavailable in words where nobody can listen there. variable: what chooses the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            other_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
            mend = f"set {variable} to another one" if other_port else "the host must be an address of this machine"
            raise Unavailable(f"port {port} on {host}: {error.strerror}; {mend}") from None


def for_phones(settings: Settings, opened_as: str) -> str | None:
    """The worker's address for a phone in the same network, or None when it listens to its own machine alone.

    opened_as: the origin of the booth's page as its browser tells it; it holds unless it is this machine's own name.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    opened = urlsplit(opened_as)
    if (opened.hostname or "localhost") not in (*LOOPBACK, *EVERYWHERE):
        return f"{opened.scheme}://{opened.netloc}"
    host = reachable_host(settings.host)
    return None if host == "localhost" else url(host, settings.port)


def household(address: str) -> str:
    """Whose address it counts as, where one household must not take every place.

    A home is given an IPv6 network of 64 bits at least, in which any machine may call itself as it likes. What is no IP
    address counts as itself.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    mapped = ip.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
