"""May this address be called? Judged on the address that is dialled, never on how a URL spells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.special_addresses import (
    IPV4_MAPPED,
    IPV4_SPECIAL,
    IPV6_GLOBAL_UNICAST,
    IPV6_SPECIAL,
    ISATAP_IDENTIFIERS,
    METADATA,
    NAT64_LOCAL,
    NAT64_WELL_KNOWN,
    SIX_TO_FOUR,
    AddressBlock,
    Network,
)

Address = IPv4Address | IPv6Address

# The widest private blocks there are (10.0.0.0/8, fc00::/7): more than that is no list of networks.
_WIDEST = {4: 8, 6: 7}


def forbidden_reason(address: Address | str, allowed: Sequence[Network] = ()) -> str | None:
    """Why ``address`` must not be called, or None when it may.

    :param address: an IP address; the scope of a link-local one does not matter.
    :param allowed: networks an endpoint names on purpose. They never open cloud metadata services,
        multicast, broadcast or the unspecified address.
    """
    judged = _dialled(address)
    block = _special(judged)
    if block is not None and (block.never or not is_listed(judged, allowed)):
        return f"{block.name}, {block.network} ({block.source})"
    if isinstance(judged, IPv4Address):
        return None
    if block is None and judged not in IPV6_GLOBAL_UNICAST and not is_listed(judged, allowed):
        return f"outside {IPV6_GLOBAL_UNICAST}, the global unicast space (RFC 4291)"
    # Also behind a network that is listed: whoever opens a translator has not opened all it leads to.
    for way, target in _ways_out(judged):
        if reason := forbidden_reason(target, allowed):
            return f"{way} to {target}: {reason}"
    return None


def is_listed(address: Address | str, networks: Iterable[Network]) -> bool:
    """Whether one of ``networks`` holds the address that would be dialled."""
    judged = _dialled(address)
    return any(judged.version == network.version and judged in network for network in networks)


def check_plain_http(url: str, *, where: str, allow_http: bool) -> None:
    """Plain HTTP shows key and people to everybody on the way: only to this machine, or where somebody says so.

    :param url: with its scheme. :param where: the connection, for the message.
    :raises ConfigurationError: it is plain HTTP to another machine, and ``allow_http`` does not say so.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "http" or allow_http or _is_loopback(parts.hostname or ""):
        return
    raise ConfigurationError(
        f"{where}: its host is reached over plain http, so the key and everybody's data would be sent in clear",
        "write https://, or set allow_http in the connection's extra where you trust every network on the way",
    )


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        return _dialled(name).is_loopback
    except ValueError:
        return False


def parse_networks(values: str | Iterable[str] | None) -> tuple[Network, ...]:
    """Networks from CIDR notation: a list, or one text separated by commas or spaces.

    :raises ConfigurationError: not CIDR, or wider than any private network.
    """
    if values is not None and not isinstance(values, str | list | tuple | set | frozenset):
        raise ConfigurationError(
            f"allow_networks is {shown_value(values)}", 'write a list of CIDR networks, e.g. ["10.20.0.0/16"]'
        )
    texts = values.replace(",", " ").split() if isinstance(values, str) else list(values or ())
    networks = []
    for text in texts:
        try:
            network = ip_network(text.strip())
        except (ValueError, AttributeError):
            raise ConfigurationError(
                f"allow_networks holds {shown_value(text)}, which is no network",
                "write CIDR, e.g. 10.20.0.0/16",
            ) from None
        if network.prefixlen < _WIDEST[network.version]:
            raise ConfigurationError(
                f"allow_networks holds {text!r}, which is wider than any private network",
                "name the private networks your endpoints are in",
            )
        networks.append(network)
    return tuple(networks)


def _dialled(address: Address | str) -> Address:
    """The address a packet ends up at: IPv4 out of its mapped and NAT64 forms, without a scope."""
    if isinstance(address, str):
        address = ip_address(address)
    if isinstance(address, IPv4Address):
        return address
    bare = IPv6Address(int(address))
    return _low_ipv4(bare) if bare in IPV4_MAPPED or bare in NAT64_WELL_KNOWN else bare


def _low_ipv4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _ways_out(address: IPv6Address) -> Iterator[tuple[str, IPv4Address]]:
    """IPv4 addresses that a packet to this IPv6 address may end up at."""
    number = int(address)
    if (number >> 32) & 0xFFFF_FFFF in ISATAP_IDENTIFIERS:
        yield "an ISATAP tunnel", _low_ipv4(address)
    if address in SIX_TO_FOUR:
        yield "a 6to4 tunnel", IPv4Address((number >> 80) & 0xFFFF_FFFF)
    if address in NAT64_LOCAL:
        for target in filter(None, _translated(number)):
            yield "a translation", IPv4Address(target)


def _translated(number: int) -> Iterator[int]:
    """Where a translator's prefix may end, that much of the address is IPv4 (RFC 6052 section 2.2)."""
    yield number & 0xFFFF_FFFF  # /96
    if not number & 0xFF_FFFF:
        yield (number >> 24) & 0xFFFF_FFFF  # /64
    if not number & 0xFFFF_FFFF:
        yield ((number >> 64) & 0xFF) << 24 | (number >> 32) & 0xFF_FFFF  # /56
    if not number & 0xFF_FFFF_FFFF:
        yield ((number >> 64) & 0xFFFF) << 16 | (number >> 40) & 0xFFFF  # /48


def _special(address: Address) -> AddressBlock | None:
    table = IPV4_SPECIAL if address.version == 4 else IPV6_SPECIAL
    for block in (*METADATA, *table):
        if block.network.version == address.version and address in block.network:
            return None if block.reachable else block
    return None


__all__ = ["Address", "Network", "check_plain_http", "forbidden_reason", "is_listed", "parse_networks"]
