"""Words of a status, a tag or an outcome that say no; and those that say by themselves that nobody did."""

from __future__ import annotations

import re
from functools import lru_cache

from airflow_outreach_provider.core.platforms.keys import is_of_mail, is_opted_out
from airflow_outreach_provider.core.platforms.reading import is_taken_back, normalise

NO = frozenset({
    "", "0", "false", "f", "no", "n", "off", "none", "null", "nil", "never", "undefined", "unknown", "na", "n_a", "nan", "na_n", "nat", "na_t", "not_set", "unset", "not_yet",
    "inactive", "disabled", "subscribed", "opted_in", "opt_in", "unchecked", "not_checked", "empty", "blank", "no_value", "not_applicable", "not_available", "not_specified", "not_provided",
    "clean", "clear", "not_found", "not_listed", "not_on_list", "no_match", "allowed", "allow",  # by a list of numbers not to be called
    # In other languages, without their accents.
    "abonne", "abonnee", "inscrit", "inscrite", "angemeldet", "abonniert", "suscrito", "inscrito", "inscrita", "iscritto", "iscritta", "aangemeld", "ingeschreven",
    "jamais", "niemals", "nunca", "nooit", "aldri", "aldrig", "nigdy", "unbekannt", "inconnu", "desconocido", "desconhecido", "sconosciuto", "onbekend",
    "keine", "keiner", "aus", "aucun", "aucune", "ninguno", "ninguna", "nenhum", "nenhuma", "nessuna", "leer", "vide", "vacio", "vazio", "vuoto", "leeg", "keine_angabe", "k_a", "nicht_angegeben", "non_renseigne", "no_especificado", "nao_informado",
    "non_specificato", "niet_opgegeven", "fa_sz", "falskt", "usant",
    # By a register of those who are not to be called.
    "not_registered", "not_present", "safe", "callable", "non_inscrit", "non_inscrite", "absent", "nicht_eingetragen", "nicht_gelistet", "no_inscrito", "no_figura", "no_consta", "nao_inscrito",
    "non_iscritto", "niet_ingeschreven", "nie_zapisany",
})  # fmt: skip
_LONGEST_WORD = 60
_DENIED = re.compile(r"(?:(?:did|has|have|is|was)_)?(?:not|no|never|nicht|non|nao|niet|nie|ej|inte|pas)_")
# "Closed - Do Not Contact", "Bad lead (DNC)", "Nurture -> Do Not Text"
_PARTS = re.compile(r"\s*(?:->|=>|[›»→>])\s*|\s[-–—]+\s|/|[()\[\]]")
_STOPS = frozenset(
    {
        "stop",
        "stop_all",
        "stop_received",
        "stop_requested",
        "replied_stop",
        "texted_stop",
        "sent_stop",
        "said_stop",
        "sms_stop",
        "no_text",
        "blacklist",
        "black_list",
        "blocklist",
    }
)


def is_denied(word: str) -> bool:
    """``Not opted out``, ``no DNC``, ``did not opt out``: the same words with a no before them."""
    return (denied := _DENIED.match(word)) is not None and is_opted_out(word[denied.end() :])


def is_no_word(said: str) -> bool:
    """Whether a status, a tag or an outcome says that somebody is not to be contacted."""
    return len(said) <= _LONGEST_WORD and _is_no(said)


@lru_cache(maxsize=1024)
def _is_no(said: str) -> bool:
    word = normalise(said)
    if word in _STOPS or is_opted_out(word):
        return True
    before, _, rest = said.rpartition(": ")
    of, parts = _parts(before), _parts(rest)
    place = next((number for number, part in enumerate(parts) if is_opted_out(part)), None)
    if place is None or any(part in NO or is_denied(part) or is_of_mail(part) for part in of + parts):
        return False
    return not any(map(is_taken_back, parts[place + 1 :]))


def _parts(said: str) -> list[str]:
    return [each for part in _PARTS.split(said) if (each := normalise(part))]
