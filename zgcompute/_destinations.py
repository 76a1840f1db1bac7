"""Where a provider may be: the policy for URLs that came from the chain, and so from anybody.

The check happens when a connection is opened, on the very addresses that it will use: a name that
answers differently a second time (DNS rebinding) is never asked a second time.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

from zgcompute.errors import DestinationRefused, ProviderUnreachable

Resolver = Callable[[str, int], Sequence[str]]

MAX_URL = 8192  # characters; what HTTP libraries refuse in their own ways is far above
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII | re.IGNORECASE,
)
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT, and the metadata service of one cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on an address that looks public
        "169.254.0.0/16",  # link-local: where clouds keep their metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries any IPv4 address inside
        "3fff::/20",
    )
)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """All addresses the operating system knows for `host`, in its order of preference."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_public(address: str) -> bool:
    """Tell whether `address` is an ordinary address of the internet, in all its disguises."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        embedded = _embedded_v4(parsed)
        if embedded is None:
            return parsed in _GLOBAL_V6 and not any(parsed in net for net in _NOT_PUBLIC_V6)
        parsed = embedded
    return not any(parsed in net for net in _NOT_PUBLIC_V4)


def _embedded_v4(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be connected to; `allow_private` is for networks on this machine only.

    `resolver` is the system's unless a test brings its own.
    """

    allow_private: bool = False
    resolver: Resolver = system_resolver

    def check_url(self, url: str) -> str:
        """Return the host of `url`; raises DestinationRefused unless it is a plain https URL.

        User names, fragments, IPv4 in odd spellings and anything two parsers could read in two
        ways are refused; plain http is allowed with `allow_private` only.
        """
        match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
        if match is None:
            raise DestinationRefused("The provider's URL is not a plain https address.")
        if match["scheme"].lower() != "https" and not self.allow_private:
            raise DestinationRefused("The provider's URL is not encrypted (http, not https).")
        if match["port"] and not 0 < int(match["port"]) < 65536:
            raise DestinationRefused("The provider's URL has an impossible port.")
        return self._check_host(match["host"].strip("[]"))

    def _check_host(self, host: str) -> str:
        try:
            literal = str(ip_address(host))
        except ValueError:
            labels = host.split(".")
            if _NUMBER_LABEL.fullmatch(labels[-1]) or ":" in host or "" in labels:
                raise DestinationRefused("The provider's URL spells its host oddly.") from None
            return host
        self._require_public(host, literal)
        return host

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Resolve `host` and return its addresses if every one of them may be connected to.

        Raises DestinationRefused if any may not, ProviderUnreachable if there is none.
        """
        try:
            answers = tuple(self.resolver(host, port))
        except (OSError, UnicodeError) as error:
            raise _unresolved(f"The name {host} cannot be resolved.") from error
        if not answers:
            raise _unresolved(f"The name {host} has no address.")
        for answer in answers:
            self._require_public(host, answer)
        return answers

    def _require_public(self, host: str, address: str) -> None:
        if not self.allow_private and not is_public(address):
            raise DestinationRefused(f"{host} is not a public address on the internet.")


def _unresolved(message: str) -> ProviderUnreachable:
    error = ProviderUnreachable(message)
    error.was_sent = False
    return error
