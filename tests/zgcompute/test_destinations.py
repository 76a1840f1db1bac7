from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from zgcompute._destinations import AddressPolicy, is_public, system_resolver
from zgcompute.errors import DestinationRefused, ProviderUnreachable

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
NOT_PUBLIC = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "nonsense",
    "",
]


def answering(*addresses: str) -> AddressPolicy:
    return AddressPolicy(resolver=lambda host, port: addresses)


@pytest.mark.parametrize("address", PUBLIC)
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(address)
    assert answering(address).addresses("a.example", 443) == (address,)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_are_not_in_whatever_disguise(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(DestinationRefused):
        answering(address).addresses("a.example", 443)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(DestinationRefused):
        answering("8.8.8.8", "2606:4700::1111", "10.0.0.1").addresses("a.example", 443)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example/",
        "https://a.example:8443/base/path",
        "https://A.Example/v1/x?model=a%2Fb",
        "https://93.184.216.34:1/x",
        "https://[2606:4700::1111]/x",
        "https://xn--bcher-kva.example",
        "https://a.example:65535",
    ],
)
def test_plain_https_urls_pass(url: str) -> None:
    assert AddressPolicy().check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "http://a.example",
        "ftp://a.example",
        "file:///etc/passwd",
        "gopher://a.example",
        "https://",
        "https:///x",
        "https://user@a.example",
        "https://user:pass@a.example",
        "https://8.8.8.8@127.0.0.1",
        "https://a.example#fragment",
        "https://a.example\\@127.0.0.1",
        "https://a.example /x",
        "https://a.example/\r\nHost: x",
        "https://a.example\n",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:",
        "https://bücher.example",
        "https://１２７.0.0.1",
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://0177.0.0.1",
        "https://127.1",
        "https://127.0.0.1.",
        "https://a..example",
        "https://.a.example",
        "https://8.8.8.08",
        "https://a.0x10",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        "https://[fe80::1%25eth0]",
        "https://[::::]",
        "https://[12345::]",
        "https://[8.8.8.8]",
        "https://a.example/" + "a" * 9000,
        "https://169.254.169.254/latest/meta-data",
        "https://a.example/" + "\x00",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    policy = AddressPolicy(resolver=lambda host, port: ["8.8.8.8"])
    with pytest.raises(DestinationRefused):
        policy.check_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8601", "http://localhost:8601", "https://10.0.0.1"]
)
def test_a_local_network_allows_private_addresses_and_http(url: str) -> None:
    policy = AddressPolicy(allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    assert policy.addresses(policy.check_url(url), 8601) == ("127.0.0.1",)


@pytest.mark.parametrize("url", ["http://user@127.0.0.1", "ftp://127.0.0.1", "http://0x7f000001"])
def test_a_local_network_allows_nothing_else(url: str) -> None:
    with pytest.raises(DestinationRefused):
        AddressPolicy(allow_private=True).check_url(url)


def test_a_name_without_addresses_is_unreachable() -> None:
    with pytest.raises(ProviderUnreachable, match="no address"):
        answering().addresses("a.example", 443)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_that_cannot_be_resolved_is_unreachable(error: Exception) -> None:
    def fail(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(ProviderUnreachable, match="cannot be resolved"):
        AddressPolicy(resolver=fail).addresses("a.example", 443)


def test_the_system_resolves_literals_without_a_network() -> None:
    assert list(system_resolver("127.0.0.1", 80)) == ["127.0.0.1"]
