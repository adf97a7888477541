"""What addresses of the web are: whether one can be asked, whose it is, and how it is shown. It connects to nothing."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from headrace.business.model.wording import Misworded

_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def parsed(url: str) -> SplitResult:
    """The parts of an address. Raises `Misworded` when it is none that can be asked."""
    hint = "write `https://` or `http://`, a host and a path, with odd characters percent-encoded"
    try:
        parts = urlsplit(url)
        fine = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Misworded(f"`{url}` is not an address", hint) from None
    if not fine or not url.isascii() or not url.isprintable() or " " in url:
        raise Misworded(f"`{url}` is not an address that can be asked", hint)
    if parts.username is not None or parts.password is not None:
        raise Misworded("a login does not stand in an address", "write `auth: {basic: {user: ..., password: ...}}`")
    if parts.fragment:
        raise Misworded(f"`{url}` has a fragment, `#{parts.fragment}`, which no server sees", "take it out")
    return parts


def origin_of(url: SplitResult) -> Origin:
    """Scheme, host and port (RFC 6454)."""
    return url.scheme, (url.hostname or "").lower(), url.port or _PORTS.get(url.scheme, 0)


def is_home(url: SplitResult, home: SplitResult) -> bool:
    """Whether what is secret between `home` and us may go to `url`: the same origin, or its encrypted twin."""
    one, other = origin_of(url), origin_of(home)
    return one == other or (one[1] == other[1] and (other[0], one[0]) == ("http", "https") and (other[2], one[2]) == (80, 443))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as far as its name says."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown_url(url: str) -> str:
    """An address for people: without its query, which may hold signatures and tokens."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?..." if parts.query else "")
