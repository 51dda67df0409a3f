"""Special-purpose addresses as data: what no webhook endpoint on the internet can have.

From IANA's registries iana-ipv4-special-registry and iana-ipv6-special-registry (RFC 6890, RFC 8190), compared row by
row with their CSV files as they were on 2026-07-18, and the registries of multicast and global unicast space. A row of theirs that is "globally reachable" is listed too, marked as such: it
may be called, also where it lies inside a block that may not. The most specific row counts, so it stands first.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network


class AddressBlock(NamedTuple):
    """A range of addresses with a purpose.

    :param source: the RFC, or the vendor's page, that gives it the purpose.
    :param never: refused even when an endpoint's CIDR list covers it.
    :param reachable: the registry's "Globally Reachable" says true; false and "N/A" are refused.
    """

    network: Network
    name: str
    source: str
    never: bool = False
    reachable: bool = False


def _block(
    network: str, name: str, source: str, *, never: bool = False, reachable: bool = False
) -> AddressBlock:
    return AddressBlock(ip_network(network), name, source, never, reachable)


# Where a cloud hands out credentials to whoever asks. Listed one by one: some lie in public space, and
# all stay refused when an operator allows the network around them.
METADATA: tuple[AddressBlock, ...] = (
    _block(
        "169.254.169.254/32", "cloud metadata (AWS, GCP, Azure, OCI, DigitalOcean)", "AWS IMDS", never=True
    ),
    _block("169.254.169.123/32", "cloud time service", "AWS Time Sync", never=True),
    _block("169.254.169.253/32", "cloud resolver", "AWS VPC DNS", never=True),
    _block("169.254.170.2/32", "container credentials", "AWS ECS", never=True),
    _block("169.254.170.23/32", "pod credentials", "AWS EKS Pod Identity", never=True),
    _block("169.254.0.23/32", "cloud metadata", "Tencent Cloud", never=True),
    _block("169.254.10.10/32", "cloud metadata", "Tencent Cloud", never=True),
    _block("169.254.42.42/32", "cloud metadata", "Scaleway", never=True),
    _block("100.100.100.200/32", "cloud metadata", "Alibaba Cloud", never=True),
    _block("168.63.129.16/32", "platform agent", "Azure WireServer", never=True),
    _block("192.0.0.192/32", "cloud metadata", "Oracle Cloud Classic", never=True),
    _block("fd00:ec2::254/128", "cloud metadata", "AWS IMDS over IPv6", never=True),
    _block("fd00:ec2::253/128", "cloud resolver", "AWS VPC DNS over IPv6", never=True),
    _block("fd00:ec2::23/128", "pod credentials", "AWS EKS Pod Identity over IPv6", never=True),
    _block("fd20:ce::254/128", "cloud metadata", "GCP over IPv6", never=True),
    _block("fd00:42::42/128", "cloud metadata", "Scaleway over IPv6", never=True),
    _block("fd00:c1::a9fe:a9fe/128", "cloud metadata", "OCI over IPv6", never=True),
    _block("fe80::a9fe:a9fe/128", "cloud metadata", "OpenStack over IPv6", never=True),
)

IPV4_SPECIAL: tuple[AddressBlock, ...] = (
    _block("0.0.0.0/32", "this host on this network", "RFC 1122 section 3.2.1.3", never=True),
    _block("0.0.0.0/8", "this network", "RFC 791 section 3.2", never=True),
    _block("10.0.0.0/8", "private use", "RFC 1918"),
    _block("100.64.0.0/10", "shared address space of carriers", "RFC 6598"),
    _block("127.0.0.0/8", "loopback", "RFC 1122 section 3.2.1.3"),
    _block("169.254.0.0/16", "link local", "RFC 3927"),
    _block("172.16.0.0/12", "private use", "RFC 1918"),
    _block("192.0.0.0/29", "IPv4 service continuity", "RFC 7335"),
    _block("192.0.0.8/32", "IPv4 dummy address", "RFC 7600"),
    _block("192.0.0.9/32", "Port Control Protocol anycast", "RFC 7723", reachable=True),
    _block("192.0.0.10/32", "TURN anycast", "RFC 8155", reachable=True),
    _block("192.0.0.170/31", "NAT64/DNS64 discovery", "RFC 8880"),
    _block("192.0.0.0/24", "IETF protocol assignments", "RFC 6890"),
    _block("192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"),
    _block("192.31.196.0/24", "AS112-v4", "RFC 7535", reachable=True),
    _block("192.52.193.0/24", "AMT", "RFC 7450", reachable=True),
    _block("192.88.99.2/32", "6a44 relay anycast", "RFC 6751"),
    _block("192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526"),
    _block("192.168.0.0/16", "private use", "RFC 1918"),
    _block("192.175.48.0/24", "direct delegation AS112", "RFC 7534", reachable=True),
    _block("198.18.0.0/15", "benchmarking", "RFC 2544"),
    _block("198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"),
    _block("203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"),
    _block("224.0.0.0/4", "multicast", "RFC 5771", never=True),
    _block("255.255.255.255/32", "limited broadcast", "RFC 919", never=True),
    _block("240.0.0.0/4", "reserved", "RFC 1112 section 4", never=True),
)

IPV6_SPECIAL: tuple[AddressBlock, ...] = (
    _block("::/128", "unspecified", "RFC 4291", never=True),
    _block("::1/128", "loopback", "RFC 4291"),
    _block("::/96", "IPv4-compatible, deprecated", "RFC 4291 section 2.5.5.1"),
    _block("::ffff:0:0:0/96", "IPv4-translated (SIIT)", "RFC 2765 section 2.1"),
    _block("64:ff9b:1::/48", "local-use IPv4/IPv6 translation", "RFC 8215"),
    _block("100::/64", "discard only", "RFC 6666"),
    _block("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
    _block("2001::/32", "Teredo", "RFC 4380"),
    _block("2001:1::1/128", "Port Control Protocol anycast", "RFC 7723", reachable=True),
    _block("2001:1::2/128", "TURN anycast", "RFC 8155", reachable=True),
    _block("2001:1::3/128", "DNS-SD registration anycast", "RFC 9665", reachable=True),
    _block("2001:2::/48", "benchmarking", "RFC 5180"),
    _block("2001:3::/32", "AMT", "RFC 7450", reachable=True),
    _block("2001:4:112::/48", "AS112-v6", "RFC 7535", reachable=True),
    _block("2001:10::/28", "ORCHID, deprecated", "RFC 4843"),
    _block("2001:20::/28", "ORCHIDv2", "RFC 7343", reachable=True),
    _block("2001:30::/28", "drone remote identification", "RFC 9374", reachable=True),
    _block("2001::/23", "IETF protocol assignments", "RFC 2928"),
    _block("2001:db8::/32", "documentation", "RFC 3849"),
    _block("2002::/16", "6to4", "RFC 3056"),
    _block("2620:4f:8000::/48", "direct delegation AS112", "RFC 7534", reachable=True),
    _block("3ffe::/16", "6bone, returned", "RFC 3701"),
    _block("3fff::/20", "documentation", "RFC 9637"),
    _block("5f00::/16", "segment routing identifiers", "RFC 9602"),
    _block("fc00::/7", "unique local", "RFC 4193"),
    _block("fe80::/10", "link local", "RFC 4291"),
    _block("fec0::/10", "site local, deprecated", "RFC 3879"),
    _block("ff00::/8", "multicast", "RFC 4291", never=True),
)

# IANA allots unicast addresses of the internet from here alone (RFC 4291 section 2.4, RFC 3587).
IPV6_GLOBAL_UNICAST = IPv6Network("2000::/3")

# An IPv6 address which a host or a gateway turns into this IPv4 address: judged as that address.
IPV4_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 section 2.5.5.2: the kernel dials IPv4
SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056: behind the prefix, an IPv4 address
NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215: any operator's translator
NAT64_WELL_KNOWN = IPv6Network("64:ff9b::/96")  # RFC 6052: how IPv6-only networks reach IPv4
# RFC 5214 section 6.1: the interface identifiers 0000:5efe and 0200:5efe tunnel to the IPv4 address.
ISATAP_IDENTIFIERS = frozenset({0x0000_5EFE, 0x0200_5EFE})
