"""What is known of a source: a platform's way in, declared as one Airflow connection."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError, SignatureError
from airflow_outreach_provider.core.flags import flag_of
from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.phones import check_region
from airflow_outreach_provider.core.platforms import PLATFORMS, Platform
from airflow_outreach_provider.core.platforms.custom import CUSTOM, CustomSource, custom_source
from airflow_outreach_provider.core.signing import MIN_SECRET_LENGTH, Scheme, check_secrets
from airflow_outreach_provider.core.stop_words import USUAL, StopWords
from airflow_outreach_provider.core.suggest import did_you_mean

TOLERANCE_SECONDS = 300
LONGEST_TOLERANCE_SECONDS = 86_400
# Between a platform's first try and the retry of an answer that got lost; see the inbox's de-duplication.
DEDUPE_WINDOW_SECONDS = 900


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One source of events.

    :param name: the Airflow connection id; the last part of the webhook's URL.
    :param platform: ``tether``, ``supersend``, ``varda``, ``autoreach`` or ``custom``.
    :param secrets: signing secrets, each at least 16 characters, all of them valid (rotation); for a
        platform that cannot sign, the tokens expected in ``?token=`` or ``X-Outreach-Token``.
    :param tolerance_seconds: how old or new a signed time may be.
    :param allow_unsigned: take events without proof. Only used where there are no secrets at all.
    :param default_region: ISO 3166 region of phone numbers without country code.
    :param dedupe_window_seconds: how long the same body is the same event, on platforms that send neither
        an id nor a time.
    :param stop_words: messages that opt out.
    :param api_base: base URL of the platform's contact list, for polling.
    :param api_allow_http: ask for it over plain HTTP too, on other machines than this one.
    :param api_login: e-mail address for the log-in there (Tether).
    :param api_secret: password (Tether) or API key (SuperSend).
    :param custom: of ``platform: custom``: how it proves itself, and where its fields stand.
    """

    name: str
    platform: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tolerance_seconds: int = TOLERANCE_SECONDS
    allow_unsigned: bool = False
    default_region: str | None = None
    dedupe_window_seconds: int = DEDUPE_WINDOW_SECONDS
    stop_words: StopWords = field(default=USUAL, repr=False)
    api_base: str | None = field(default=None, repr=False)
    api_allow_http: bool = False
    api_login: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    custom: CustomSource | None = field(default=None, repr=False)

    @property
    def facts(self) -> Platform:
        """The platform's row in the table, or what the connection itself says."""
        return PLATFORMS[self.platform] if self.custom is None else self.custom.facts

    @property
    def signs(self) -> bool:
        """Whether a signature proves its events, and not a token that whoever captured one request has too."""
        facts = self.facts
        proof = facts.scheme is not Scheme.NONE if facts.proof is None else facts.proof.signs
        return bool(self.secrets) and proof

    @property
    def proof(self) -> str:
        """How its events are authenticated, in words: for lists of sources."""
        if self.secrets and self.facts.proof is not None:
            return self.facts.proof.words
        if self.secrets:
            return "token" if self.facts.scheme is Scheme.NONE else f"signature ({self.facts.scheme})"
        return "none (allow_unsigned)" if self.allow_unsigned else "missing: refuses every event"


def source_settings(
    name: str,
    *,
    password: str | None,
    extra: Mapping[str, Any],
    host: str | None = None,
    login: str | None = None,
    stop_words: StopWords = USUAL,
    url: str = "",
) -> SourceSettings:
    """Check the fields of an ``outreach_source`` connection.

    :param password: secrets or tokens, space-separated.
    :param host: base URL of the API that is polled.
    :param stop_words: of the whole installation; the extra's ``stop_words`` change them for this source.
    :param login: e-mail address for the log-in there, unless the extra has ``contacts_email``.
    :param url: what is pasted into the platform; part of what some sign.
    :raises ConfigurationError: a field has a value it cannot have; says which and what to write.
    """
    where = f"connection {name!r}"
    platform = str(extra.get("platform") or "").strip().lower()
    if platform != CUSTOM and platform not in PLATFORMS:
        raise ConfigurationError(f"{where}: platform {shown_value(platform)} is not known", _known(platform))
    secrets = tuple((password or "").split())
    for place, secret in enumerate(secrets, start=1):
        if len(secret) < MIN_SECRET_LENGTH:
            raise ConfigurationError(
                f"{where}: secret {place} in the password has {len(secret)} characters",
                f"use at least {MIN_SECRET_LENGTH}",
            )
    source = SourceSettings(
        name=name,
        platform=platform,
        secrets=secrets,
        tolerance_seconds=_seconds(
            where, extra, "tolerance_seconds", TOLERANCE_SECONDS, LONGEST_TOLERANCE_SECONDS
        ),
        allow_unsigned=_flag(where, extra, "allow_unsigned"),
        default_region=check_region(_text(extra.get("default_region")), where),
        dedupe_window_seconds=_seconds(
            where, extra, "dedupe_window_seconds", DEDUPE_WINDOW_SECONDS, 7 * 86_400
        ),
        stop_words=stop_words.changed(_text(extra.get("stop_words")) or ""),
        api_base=_text(extra.get("api_base")) or _text(host),
        api_allow_http=_flag(where, extra, "allow_http"),
        api_login=_text(extra.get("contacts_email")) or _text(login),
        api_secret=_text(extra.get("contacts_password")) or _text(extra.get("api_key")),
        custom=custom_source(where, _object(extra.get("custom")), url) if platform == CUSTOM else None,
    )
    if source.signs and source.facts.proof is None:
        try:
            check_secrets(source.facts.scheme, secrets, verifying=True)
        except SignatureError as error:  # else it is every request that is refused
            raise ConfigurationError(f"{where}: {error}") from error
    return source


def _known(platform: str) -> str:
    names = [*PLATFORMS, CUSTOM]
    known, hint = ", ".join(names), did_you_mean(platform, names, otherwise="")
    return f"{hint} Known are {known}" if hint else f"write one of {known} into the extra"


def _seconds(where: str, extra: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        seconds = int(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1
    if isinstance(value, bool) or not 1 <= seconds <= most:
        raise ConfigurationError(
            f"{where}: {name} is {shown_value(value)}", f"write whole seconds between 1 and {most}"
        )
    return seconds


def _flag(where: str, extra: Mapping[str, Any], name: str) -> bool:
    value = extra.get(name)
    if value is None or value == "":
        return False
    if (flag := flag_of(value)) is None:
        raise ConfigurationError(f"{where}: {name} is {shown_value(value)}", "write true or false")
    return flag


def _object(value: object) -> object:
    """As the form of a connection hands an object over: as its text."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _text(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None
