"""What exports of contacts call it that somebody is not to be contacted, in the languages of those who keep them.

Written as people write it, in small letters: what reads it makes one writing of all.
"""

from __future__ import annotations

REFUSALS = (
    "dnc", "dnd", "do not call", "do not text", "do not contact", "do not sms", "do not message", "do not disturb", "don't call", "don't text", "don't contact",
    "donotcall", "donottext", "donotcontact", "opt out", "opted out", "optout", "optedout", "opt outs", "unsubscribe", "unsubscribed", "unsub", "blacklisted", "blocklisted", "deny listed",
    "litigator", "should forget", "forget this individual", "opted out processing", "opted out solicit", "do not process", "don't process",
    "consent revoked", "consent withdrawn",
    # Registers of those who are not to be called or texted.
    "bloctel", "lista robinson", "listarobinson", "robinsonliste", "robinson liste", "robinsonlist", "robinson list", "robinson lijst", "robinsoneintrag", "ecg liste", "lista robinsonów",
    "dncl", "dncr", "lnnte", "telephone preference service", "registro pubblico opposizioni", "registro pubblico delle opposizioni", "bel me niet", "não me perturbe", "não perturbe",
    "não me ligue", "no llame", "nix telefon", "nix register", "reservasjonsregisteret",
    # German
    "abgemeldet", "abbestellt", "ausgetragen", "werbesperre", "werbeverbot", "werbewiderspruch", "kontaktsperre", "telefonsperre", "anrufsperre", "sms sperre", "sperre sms", "dsgvo sperre",
    "dsgvo widerspruch", "widerspruch dsgvo", "widerspruch werbung", "einwilligung widerrufen", "einwilligung zurückgezogen", "kontakt unerwünscht", "werbung unerwünscht",
    # French
    "désabonné", "désabonnée", "désinscrit", "désinscrite", "désabonnement", "désinscription", "liste noire", "blacklisté", "blacklistée", "liste rouge sms", "stop sms", "stop pub",
    "stop commercial", "stop démarchage", "a dit stop", "opposition sms", "opposition bloctel", "opposition démarchage", "opposition au démarchage", "droit d'opposition", "opposition rgpd", "rgpd opposition",
    "refus sms", "refus de sms", "refus de contact", "refus démarchage", "refus de démarchage", "refuse les sms", "retrait du consentement", "retrait de consentement", "consentement retiré",
    "consentement révoqué", "ne souhaite plus être contacté", "ne souhaite pas être contacté", "date stop", "date de stop", "date du stop",
    # Spanish
    "de baja", "dado de baja", "dada de baja", "darse de baja", "se dio de baja", "solicitó baja", "solicita baja", "baja sms", "fecha de baja", "fecha baja", "fechabaja", "lista negra",
    "desuscrito", "desuscrita", "desuscripto", "desuscripción", "suscripción cancelada", "cancelación de suscripción", "oposición rgpd", "derecho de oposición", "consentimiento revocado",
    "consentimiento retirado", "revocación del consentimiento", "no desea ser contactado", "no desea sms", "no quiere sms", "rechaza sms", "excluir de sms", "exclusión publicitaria",
    # Portuguese
    "descadastrado", "descadastrada", "descadastro", "desinscrito", "desinscrita", "cancelou inscrição", "inscrição cancelada", "cancelamento da inscrição", "consentimento revogado",
    "revogou consentimento", "revogação do consentimento", "oposição lgpd", "lgpd oposição", "removido da lista", "removida da lista", "bloquear contato", "bloqueio procon",
    # Italian
    "disiscritto", "disiscritta", "disiscrizione", "lista nera", "consenso revocato", "revoca consenso", "revoca del consenso", "opposizione gdpr", "diritto di opposizione", "iscrizione annullata",
    "annullata iscrizione", "cancellazione iscrizione", "cancellato dalla lista", "rifiuta sms", "rifiuto marketing", "non desidera essere contattato",
    # Dutch
    "afgemeld", "uitgeschreven", "uitschrijving", "afmelding", "afmelddatum", "uitschrijfdatum", "zwarte lijst", "bezwaar avg", "recht van verzet", "toestemming ingetrokken",
    # Polish
    "wypisany", "wypisana", "wypisano", "wypisania", "czarna lista", "sprzeciw rodo", "cofnięta zgoda", "zgoda cofnięta", "cofnięcia zgody", "zgoda wycofana", "wycofana zgoda", "wycofania zgody",
    # Swedish
    "avregistrerad", "avregistrering", "avregistreringsdatum", "avprenumererad", "avanmäld", "reklamspärr", "direktreklamspärr", "sms spärr", "svartlistad", "samtycke återkallat",
    "återkallat samtycke", "vill ej bli kontaktad", "vill inte bli kontaktad",
)  # fmt: skip
"""What names nothing else, alone or among :data:`BESIDE`: a column, a status, a tag."""

NOT = (
    "no", "not", "nicht", "kein", "keine", "ne pas", "ne plus", "pas de", "não", "non", "niet", "geen", "nie", "ej", "inte", "inga", "ingen",
)  # fmt: skip
DO = (
    "kontaktieren", "anrufen", "anschreiben", "kontaktaufnahme", "werbung", "sms versand", "contacter", "appeler", "solliciter", "envoyer de sms", "contactar", "llamar", "molestar",
    "enviar sms", "contatar", "perturbar", "ligar", "perturbe", "recebe sms", "receber sms", "quer receber sms", "contattare", "disturbare", "chiamare", "inviare sms", "contacteren",
    "benaderen", "bellen", "storen", "sms en", "smsen", "sm sen", "reclame", "contact opnemen", "kontaktować", "kontaktować się", "dzwonić", "wysyłać sms", "kontakta", "ringa", "skicka sms", "sms", "texts",
)  # fmt: skip
"""What is not to be done, behind a not: infinitives, for "nicht angerufen" only tells what was."""
BETWEEN = (
    "mehr",
    "per",
    "par",
    "por",
    "via",
    "sms",
    "telefon",
    "telefonisch",
    "me",
    "mich",
    "more",
    "meer",
    "mas",
)
AFTERWARDS = (
    "kontakta ej",
    "kontakta inte",
    "ring ej",
    "ring inte",
    "smsa ej",
    "smsa inte",
    "kontaktować się nie",
)
"""The same with the not behind it."""

ASKED = (
    "baja", "baja desde", "robinson", "tps", "ctps", "mps", "nix", "rpo", "repep", "procon", "reservert", "suppressed", "suppression", "suppressions", "blacklist", "blocklist", "denylist",
    "blocked", "gesperrt", "sperre", "sperrvermerk", "sperrliste", "sperrdatum", "widerspruch", "widerspruchsdatum", "widerruf", "widerrufen", "widerrufsdatum", "abmeldung", "austragung",
    "austragungsdatum", "bloqué", "bloquée", "opposition", "opposé", "bloqueado", "bloqueada", "oposición", "excluido", "excluida", "revocado", "revocación", "oposição", "revogado",
    "revogação", "bloccato", "opposizione", "revocato", "revoca", "geblokkeerd", "blokkade", "bezwaar", "ingetrokken", "zablokowany", "sprzeciw", "sprzeciwu", "rezygnacja", "rezygnacji",
    "zrezygnował", "wypisu", "spärr", "spärrad", "spärrdatum", "blockerad", "avslutad prenumeration", "date de refus", "cancelado sms",
)  # fmt: skip
"""What may be something else: in a table of people a column of such a name says so where its value is a plain yes or a day."""
ASKED_ALONE = ("stop", "sair", "a stop")

BESIDE = (
    "is", "has", "was", "on", "in", "of", "from", "for", "the", "this", "a", "to", "please", "known", "sms", "mms", "text", "texts", "texting", "message", "messages", "messaging", "mobile",
    "cell", "wireless", "phone", "phones", "landline", "tel", "whatsapp", "whats app", "viber", "call", "calls", "calling", "contact", "person", "lead", "customer", "subscriber", "individual", "client",
    "patient", "prospect", "record", "list", "lists", "listed", "register", "registry", "registered", "registration", "flag", "flagged", "federal", "national", "state", "internal", "company",
    "global", "globally", "all", "any", "inbound", "custom", "metadata", "metafield", "properties", "attributes", "fields", "field", "gdpr", "ccpa", "tcpa", "marketing", "channel",
    "channels", "requested", "request", "reason", "source", "method", "mode", "y", "n", "bitte", "auf", "der", "die", "liste", "eingetragen", "per", "kontakt", "werbung", "grund", "rgpd",
    "dsgvo", "lgpd", "avg", "rodo", "inscrit", "inscrite", "sur", "la", "en", "présent", "au", "les", "aux", "du", "motif", "inscrito", "inscrita", "lista", "motivo", "registro", "por",
    "iscritto", "al", "alla", "aan", "op", "lijst", "reden", "listan", "ddv",
)  # fmt: skip
"""What may stand beside it and changes nothing in it."""
DAYS = (
    "date", "time", "timestamp", "at", "since", "datum", "dato", "data", "fecha", "am", "seit", "le", "depuis", "el", "desde", "em", "il", "dal", "op", "sinds", "dnia", "od", "den", "sedan",
)  # fmt: skip
"""Since when."""
_OF = ("de", "d", "da", "do", "di", "del", "della", "des", "för", "van", "och")
ANSWERS = (
    "status",
    "estado",
    "statut",
    "stato",
    "result",
    "match",
    "matched",
    "hit",
    "check result",
    "scrub result",
    "settings",
)
"""A name with one of these answers a question."""

BESIDE_A_DAY = (*DAYS, *_OF)
WITHDRAWN = (
    "revoked", "withdrawn", "widerrufen", "zurückgezogen", "entzogen", "retiré", "révoqué", "revocado", "retirado", "revogado", "revocato", "ritirato", "ingetrokken", "wycofana", "cofnięta",
    "återkallat", "abgemeldet",
)  # fmt: skip
"""What a consent is that somebody took back."""
YES = (
    "true", "t", "1", "yes", "y", "x", "on", "checked", "ticked", "active", "enabled", "registered", "listed", "present", "matched", "found",
    "ja", "j", "wahr", "eingetragen", "oui", "o", "vrai", "inscrit", "inscrite", "présent", "sí", "s", "verdadero", "inscrito", "sim", "verdadeiro", "sì", "vero", "iscritto", "waar",
    "ingeschreven", "tak", "prawda", "sant", "registrerad", "user suppressed", "permanent",
)  # fmt: skip
