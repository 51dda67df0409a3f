"""Addresses a webhook may and may not be sent to, each with the RFC that says why."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.addresses import Network, forbidden_reason, is_listed, parse_networks
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.special_addresses import IPV4_SPECIAL, IPV6_SPECIAL, METADATA

BLOCKS = [each for each in (*METADATA, *IPV4_SPECIAL, *IPV6_SPECIAL) if not each.reachable]

# What the IANA registries list, written down again by hand: (first address, last address, source).
REGISTRY = """
0.0.0.0 0.255.255.255 RFC 791
10.0.0.0 10.255.255.255 RFC 1918
100.64.0.0 100.127.255.255 RFC 6598
127.0.0.0 127.255.255.255 RFC 1122
169.254.0.0 169.254.255.255 RFC 3927
172.16.0.0 172.31.255.255 RFC 1918
192.0.0.0 192.0.0.255 RFC 6890
192.0.2.0 192.0.2.255 RFC 5737
192.88.99.0 192.88.99.255 RFC 7526
192.168.0.0 192.168.255.255 RFC 1918
198.18.0.0 198.19.255.255 RFC 2544
198.51.100.0 198.51.100.255 RFC 5737
203.0.113.0 203.0.113.255 RFC 5737
224.0.0.0 239.255.255.255 RFC 5771
240.0.0.0 255.255.255.255 RFC 1112
:: :: RFC 4291
::1 ::1 RFC 4291
::7f00:1 ::7f00:1 RFC 4291
64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff RFC 8215
100:: 100::ffff:ffff:ffff:ffff RFC 6666
100:0:0:1:: 100::1:ffff:ffff:ffff:ffff RFC 9780
2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff RFC 4380
2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff RFC 5180
2001:10:: 2001:1f:ffff:ffff:ffff:ffff:ffff:ffff RFC 4843
2001:1ff:ffff:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff RFC 2928
2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff RFC 3849
2002:: 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 3056
3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff RFC 9637
5f00:: 5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 9602
fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 4193
fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 4291
fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 3879
ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff RFC 4291
4000:: 4000:: RFC 4291
"""
ROWS = [line.split(maxsplit=2) for line in REGISTRY.strip().splitlines()]


@pytest.mark.parametrize(("first", "last", "source"), ROWS, ids=[row[0] for row in ROWS])
def test_both_ends_of_every_registered_block_are_refused(first: str, last: str, source: str) -> None:
    """The first and the last address of each special-purpose block are refused, with the RFC named."""
    reasons = forbidden_reason(first), forbidden_reason(last)
    assert all(reasons)
    assert any(source in str(reason) for reason in reasons)


# https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry, the CSV files of
# 2026-07-18, row by row: (block, its "Globally Reachable"; N/A also where a terminated row has none). Of ::ffff:0:0/96 and
# 64:ff9b::/96 the IPv4 address within decides; see below.
IANA = """
0.0.0.0/8 False
0.0.0.0/32 False
10.0.0.0/8 False
100.64.0.0/10 False
127.0.0.0/8 False
169.254.0.0/16 False
172.16.0.0/12 False
192.0.0.0/24 False
192.0.0.0/29 False
192.0.0.8/32 False
192.0.0.9/32 True
192.0.0.10/32 True
192.0.0.170/32 False
192.0.0.171/32 False
192.0.2.0/24 False
192.31.196.0/24 True
192.52.193.0/24 True
192.88.99.0/24 N/A
192.88.99.2/32 False
192.168.0.0/16 False
192.175.48.0/24 True
198.18.0.0/15 False
198.51.100.0/24 False
203.0.113.0/24 False
240.0.0.0/4 False
255.255.255.255/32 False
::1/128 False
::/128 False
64:ff9b:1::/48 False
100::/64 False
100:0:0:1::/64 False
2001::/23 False
2001::/32 N/A
2001:1::1/128 True
2001:1::2/128 True
2001:1::3/128 True
2001:2::/48 False
2001:3::/32 True
2001:4:112::/48 True
2001:10::/28 N/A
2001:20::/28 True
2001:30::/28 True
2001:db8::/32 False
2002::/16 N/A
2620:4f:8000::/48 True
3fff::/20 False
5f00::/16 False
fc00::/7 False
fe80::/10 False
"""
IANA_ROWS = [(ip_network(block), reachable) for block, reachable in map(str.split, IANA.strip().splitlines())]


@pytest.mark.parametrize(("block", "reachable"), IANA_ROWS, ids=[str(row[0]) for row in IANA_ROWS])
def test_every_row_of_the_registries(block: Network, reachable: str) -> None:
    """What IANA calls globally reachable may be called, everything else of its registries may not, row by row."""
    inside = [
        each
        for each, _ in IANA_ROWS
        if each.version == block.version and each != block and each.subnet_of(block)
    ]
    of_this_row = [
        address
        for address in (block[0], block[1 % block.num_addresses], block[block.num_addresses // 2], block[-1])
        if not any(address in each for each in inside)
    ]
    assert of_this_row or inside
    for address in of_this_row:
        assert (forbidden_reason(address) is None) == (reachable == "True"), address


def test_no_row_of_ours_hides_a_more_specific_one() -> None:
    """The first row that holds an address is the most specific one that does."""
    for table in (IPV4_SPECIAL, IPV6_SPECIAL):
        for place, block in enumerate(table):
            assert not any(block.network.subnet_of(before.network) for before in table[:place])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
        ),
        *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255"),
        *("192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
        *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"),
        *("2606:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2001:db7::1", "2001:db9::1", "2003::1"),
        *("2620:4f:7fff::1", "3ffd::1", "3fff:1000::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
)
def test_neighbours_of_the_blocks_may_be_called(address: str) -> None:
    """An address next to a special block, and a translated public address, is an ordinary one."""
    assert forbidden_reason(address) is None


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0"])
@pytest.mark.parametrize(
    "form", ["::ffff:{}", "64:ff9b::{}", "::{}", "2606:4700::5efe:{}", "2606:4700::200:5efe:{}"]
)
def test_an_ipv4_address_wrapped_in_ipv6_is_judged_as_itself(form: str, inner: str) -> None:
    """Mapped, NAT64, IPv4-compatible and ISATAP forms of an internal address are refused."""
    assert forbidden_reason(form.format(inner))


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254"])
def test_tunnels_to_internal_addresses_are_refused(inner: str) -> None:
    """6to4 and Teredo forms of an internal address are refused."""
    packed = int(IPv4Address(inner))
    assert forbidden_reason(IPv6Address((0x2002 << 112) | (packed << 80) | 1))
    assert forbidden_reason(IPv6Address((0x20010000 << 96) | (packed ^ 0xFFFFFFFF)))


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_let_through(address: IPv4Address | IPv6Address) -> None:
    """Our tables are as strict as the standard library's, but for NAT64, which we unwrap, and rows it does not know."""
    if any(
        block.version == address.version and address in block for block, said in IANA_ROWS if said == "True"
    ):
        return
    if address in parse_networks("64:ff9b::/96")[0] or forbidden_reason(address):
        return
    assert address.is_global
    assert not address.is_multicast


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block.network))
def test_a_listed_network_is_opened_unless_it_never_may(block: object) -> None:
    """A CIDR list opens a private block, and nothing opens metadata, multicast or the unspecified address."""
    network, never = block.network, block.never  # type: ignore[attr-defined]
    middle = network[network.num_addresses // 2]
    wide = parse_networks(
        [str(network if network.prefixlen > 8 else type(network)((int(middle), 8), strict=False))]
    )
    reason = forbidden_reason(middle, wide)
    assert (reason is not None) == never
    assert is_listed(middle, wide)


def test_metadata_stays_closed_inside_an_opened_network() -> None:
    """Opening link-local space does not open the service that gives out credentials."""
    link_local = parse_networks("169.254.0.0/16")
    assert forbidden_reason("169.254.1.1", link_local) is None
    for spelling in ("169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"):
        assert "metadata" in (forbidden_reason(spelling, link_local) or "")


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:0:a9:fea9:fe00:0",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "fd00::5efe:a9fe:a9fe",
    ],
)
def test_metadata_stays_closed_behind_an_opened_translator(address: str) -> None:
    """Opening NAT64, 6to4 or a private network does not open what an address in it leads to."""
    outer = parse_networks("64:ff9b:1::/48 2002::/16 fd00::/8 169.254.0.0/16")
    assert is_listed(address, outer)
    assert forbidden_reason(address, outer)
    public = "64:ff9b:1::808:808", "2002:808:808::1", "fd00::1"
    assert [forbidden_reason(each, outer) for each in public] == [None] * 3
    assert forbidden_reason("64:ff9b:1::a00:1", outer), "10.0.0.1 is not listed"
    assert forbidden_reason("64:ff9b:1::a00:1", (*outer, *parse_networks("10.0.0.0/8"))) is None


@pytest.mark.parametrize("value", [10, True, {"10.0.0.0/8": 1}, 1.5])
def test_networks_of_a_wrong_type_are_a_configuration_error(value: object) -> None:
    """Whatever a connection's extra holds, the error says what to write."""
    with pytest.raises(ConfigurationError, match="allow_networks is"):
        parse_networks(value)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="allow_networks holds 10"):
        parse_networks([10])  # type: ignore[list-item]


def test_a_scope_does_not_hide_an_address() -> None:
    """fe80::1%eth0 is link local like fe80::1."""
    assert "link local" in (forbidden_reason(ip_address("fe80::1%eth0")) or "")
    assert forbidden_reason("fe80::1%eth0", parse_networks(["fe80::/10"])) is None


def test_networks_are_read_from_lists_and_texts() -> None:
    """A list and a text with commas or spaces mean the same; nothing means nothing."""
    assert parse_networks("10.0.0.0/8, fd12::/16") == parse_networks(["10.0.0.0/8", "fd12::/16"])
    assert parse_networks(None) == parse_networks("") == ()


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "localhost", "0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/33"]
)
def test_a_bad_or_boundless_network_is_refused(text: str) -> None:
    """What is no CIDR, or opens half the internet, is an error that repeats what was written."""
    with pytest.raises(ConfigurationError, match="allow_networks holds"):
        parse_networks([text])
