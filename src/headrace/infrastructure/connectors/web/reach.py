"""How near a server may lead us: nobody outside gets us to call a machine inside by a redirect or a link. Not which host was meant.

What counts is the address that was connected to, before a byte is sent, so no notation of an address and no change of a name hides one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import SplitResult

from headrace.errors import NonRetryableError


def nearness(address: str) -> int:
    """0 for an address of the internet, 1 for one of a private network, 2 for this machine and its own link."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        return 2
    return 0 if ip.is_global else 1


class Reach:
    """The hosts that the definition names may be anywhere. Others, to which these lead, may be no nearer than they are."""

    def __init__(self, *own: SplitResult, near: Callable[[str], int] = nearness) -> None:
        self._own = {(url.hostname or "").lower() for url in own}
        self._near = near
        self._nearest = 0

    def admit(self, host: str, address: str) -> None:
        """Called with each new connection. Raises `NonRetryableError`."""
        near = self._near(address)
        if host.lower() in self._own:
            self._nearest = max(self._nearest, near)
        elif near > self._nearest:
            what = "this machine" if near == 2 else "a private network"
            raise NonRetryableError(
                f"the server leads to `{host}`, which is in {what}: not followed",
                hint="if that is meant, write its address in the definition",
            )
