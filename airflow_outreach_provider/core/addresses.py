"""May this address be called? Judged on the address that is dialled, never on how a URL spells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.iana import (
    IPV4_MAPPED,
    IPV4_SPECIAL,
    IPV6_GLOBAL_UNICAST,
    IPV6_SPECIAL,
    ISATAP_IDENTIFIERS,
    METADATA,
    NAT64_WELL_KNOWN,
    Block,
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
    if block is not None:
        listed = not block.never and is_listed(judged, allowed)
        return None if listed else f"{block.name}, {block.network} ({block.source})"
    if isinstance(judged, IPv4Address):
        return None
    if judged not in IPV6_GLOBAL_UNICAST:
        listed = is_listed(judged, allowed)
        return None if listed else f"outside {IPV6_GLOBAL_UNICAST}, the global unicast space (RFC 4291)"
    tunnelled = _isatap_target(judged)
    reason = forbidden_reason(tunnelled, allowed) if tunnelled else None
    return f"an ISATAP tunnel to {tunnelled}: {reason}" if reason else None


def is_listed(address: Address | str, networks: Iterable[Network]) -> bool:
    """Whether one of ``networks`` holds the address that would be dialled."""
    judged = _dialled(address)
    return any(judged.version == network.version and judged in network for network in networks)


def parse_networks(values: str | Iterable[str] | None) -> tuple[Network, ...]:
    """Networks from CIDR notation: a list, or one text separated by commas or spaces.

    :raises ConfigurationError: not CIDR, or wider than any private network.
    """
    texts = values.replace(",", " ").split() if isinstance(values, str) else list(values or ())
    networks = []
    for text in texts:
        try:
            network = ip_network(text.strip())
        except (ValueError, AttributeError):
            raise ConfigurationError(
                f"allow_networks holds {text!r}, which is no network", "write CIDR, e.g. 10.20.0.0/16"
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


def _isatap_target(address: IPv6Address) -> IPv4Address | None:
    identifier = (int(address) >> 32) & 0xFFFF_FFFF
    return _low_ipv4(address) if identifier in ISATAP_IDENTIFIERS else None


def _special(address: Address) -> Block | None:
    table = IPV4_SPECIAL if address.version == 4 else IPV6_SPECIAL
    for block in (*METADATA, *table):
        if block.network.version == address.version and address in block.network:
            return block
    return None


__all__ = ["Address", "Network", "forbidden_reason", "is_listed", "parse_networks"]
