"""What a key of a body stands for, however its owner writes it: a message, a number, whose, and what is none of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from airflow_outreach_provider.core.emails import email_columns
from airflow_outreach_provider.core.phone_columns import rank_of
from airflow_outreach_provider.core.platforms.no_names import asks_for_a_no, names_a_no, names_its_day
from airflow_outreach_provider.core.platforms.reading import normalise

_LONGEST = 60


class Holds:
    """What is found under a key: bits of a plain number, for every key of every event is asked.

    :cvar TEXT: what somebody wrote. :cvar VALUE: the same within a message. :cvar SUBJECT: above it. :cvar WHO: who wrote it. :cvar TIME: when.
    :cvar ENVELOPE: the event itself, or the message: what is said of it is said of the text within.
    :cvar FLAG: whether the person unsubscribed. :cvar SINCE: since when. :cvar STATUS: a word may say so.
    :cvar ASKED: in a table of people a plain yes says so, and of a body nothing is known by it.
    :cvar ERROR: a carrier may. :cvar TAGS: one of several words may. :cvar ID: the person's, also beside an id of something else.
    :cvar RECORD: fields of whoever it is of, as their owner calls them: ``sms`` is a number in it, no text.
    :cvar ELSEWHERE: somebody of ours, what was said before, what may be chosen: nothing of the person.
    """

    (
        TEXT, VALUE, WHO, TIME, ENVELOPE, FLAG, SINCE, STATUS, TAGS, NUMBER, EMAIL, ID, PERSON, SENDER, RECIPIENT, ELSEWHERE, ERROR,
        SUBJECT, RECORD, ASKED,
    ) = (1 << bit for bit in range(20))  # fmt: skip
    REFUSAL = FLAG | SINCE | STATUS | TAGS | ERROR
    PARTY = SENDER | RECIPIENT


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


CAPTIONS = ("caption",)
ATTACHED = _words("attachment attachments media")
# What was chosen of what was offered, and where its words stand; a button in a message is one where the message is of that type.
CHOSEN = {"button_reply": "title", "list_reply": "title", "button": "text"}
_TEXTS = _words(
    "message text body content reply message_text message_body message_content reply_text reply_body reply_message reply_content",
    "plain_text text_body body_text body_plain text_plain stripped_text email_body html html_body body_html snippet",
    "last_message last_message_text last_reply latest_message latest_reply newest_message messages texts replies",
    "inbound_message inbound_text inbound_messages incoming_message incoming_text incoming_messages user_message customer_message",
    "lead_message contact_message received_message sms sms_body sms_text sms_message sms_content msg text_message chat_message",
    "media_caption transcript transcription",
    *CAPTIONS,
)
_SUBJECTS = _words("subject email_subject message_subject mail_subject")
_VALUES = _words("value plain raw string")
_RECORDS = _words(
    "attributes properties fields custom_attributes custom_fields custom_properties custom_field additional_fields form_fields"
    " contact_attributes contact_fields contact_properties merge_fields merges traits"
)
NUMBERED_IN_RECORDS = _words("sms smsphone smsnumber viber")
_ENVELOPES = _words(
    "data payload details detail attributes event properties params parameters record object resource result item entry"
    " change changes info"
)
_TIMES = _words("timestamp created_at sent_at received_at occurred_at date time at ts created")
DIRECTIONS = ("direction", "message_direction", "sms_direction")
WRITERS = _words("sender_type sender sender_role author_type author author_role role sent_by")
OURS_IF_TRUE = _words("from_me is_from_me outbound is_outbound outgoing is_outgoing")
THEIRS_IF_TRUE = _words("inbound is_inbound incoming is_incoming")
_WHO = {*DIRECTIONS, *WRITERS, *OURS_IF_TRUE, *THEIRS_IF_TRUE}

# What is to be no more, and the words that name it in one word or in several: DONOTCONTACT, sms_optout, Text message opt-out.
_OF_TEXTS = r"sms|text_?messages?|texts?|texting|messages?|messaging|marketing|mobile|phone"
_OPTED_OUT = re.compile(
    r"(?:(?:properties|attributes|fields|custom_fields?|data)_)?"
    r"(?:(?:contact|lead|person|customer|subscriber)_(?!complained))?"  # a customer's complaint is of the goods
    r"(?:hs_)?(?:is_|has_|was_|on_)?(?:(?:federal|national|state|internal|company|tcpa)_(?=dnc|do_not_))?"
    rf"(?:(?:{_OF_TEXTS}|contact|tcpa|all|global|globally)_?)?"
    r"(?:unsub(?:scribed?|bed)?|opted_?out|opt_?out|do(?:_?not|nt|n_t)_?(?:contact|text|sms|message|disturb|call|market|solicit)|dnc|dnd"
    r"|black_?listed|block_?listed|complained|spam_complaint|(?:marked|reported)_(?:as_)?spam"
    r"|(?:consent|permission)_(?:revoked|withdrawn)|(?:revoked|withdrawn?|withdrew)_consent)"
    rf"(?:_(?:(?:of|from)_)?(?:{_OF_TEXTS}|sms_marketing|all|flag|list|enabled|settings|registered|y_n|yes_no|channels"
    r"|me|again|any_?more|this_(?:number|contact|person)|request(?:ed)?|via_[a-z]+|by_(?:the_)?(?:user|contact|customer|lead|recipient|person)))?"
    r"(?:_p?c)?"  # a field of Salesforce's users
    r"|is_blocked|contact_blocked|do_?not_?phone|do_not_allow_phone_calls|no_(?:sms|texts|texting|text_messages|marketing)"
    # French, German, Spanish, Portuguese, Italian, Dutch; without their accents.
    r"|desabonnee?|desinscrite?|ne_(?:pas|plus)_(?:contacter|appeler|solliciter)|stop_sms|abgemeldet"
    r"|nicht_(?:mehr_)?(?:kontaktieren|anschreiben|anrufen)|keine_sms|kontakt_?sperre|werbe_?(?:sperre|widerspruch)|(?:dad[oa]_)?de_baja"
    r"|no_(?:contactar|molestar|llamar)|nao_(?:contactar|contatar|perturbar|ligar)|descadastrad[oa]"
    r"|non_(?:contattare|disturbare|chiamare)|disiscritt[oa]|niet_(?:contacteren|benaderen|bellen)|bel_me_niet|afgemeld|uitgeschreven"
)
_OPTED_OUT_AT = re.compile(
    rf"(?:[a-z]+_)?(?:unsub(?:scribed?)?|opted_?out|opt_?out|dnc|do_?not_?(?:call|text)|consent_(?:revoked|withdrawn)|do_?not_?contact)(?:_(?:(?:of|from)_)?(?:{_OF_TEXTS}))?"
    r"_(?:at|on|date|time|date_time|timestamp|since)(?:_p?c)?"
    r"|date_(?:of_)?(?:unsubscribed?|opted_?out|opt_?out)"
    # French, German, Portuguese, Italian, Dutch.
    r"|(?:desabonnee?|desinscrite?)_le|date_de_des(?:inscription|abonnement)|abgemeldet_(?:am|seit)|abmeldedatum|descadastrad[oa]_em"
    r"|disiscritt[oa]_il|(?:afgemeld|uitgeschreven)_op"
)
# Before a field of a package in Salesforce stands whose it is: tdc_tsw__SMS_Opt_out__c.
_PACKAGE = re.compile(r"[A-Za-z]\w{0,14}?__(?=\w+__p?c$)", re.ASCII)
_STATUS = _words(
    "status state subscription subscribed consent optin stage disposition outcome interest preference preferences permission",
    "statut estado estatus situacao stato kontaktstatus scrub",
    "einwilligung consentement consentimiento consentimento consenso toestemming zgoda zgody samtycke",
)
_ERRORS = _words("error errors error_code sms_error_code message_error_code")
_STATUS_NAMES = _words("sms_marketing marketing_sms text_marketing opt_out_type optout_type")
_REASONS = re.compile(r"(?:.+_)?(?:lost|loss|disqualification|disqualified|unqualified)_reason")
_TAGS = _words(
    "tag tags label labels etiquette etiquettes etiqueta etiquetas etichetta etichette schlagworter stichworter marcadores tagi taggar"
)
_GROUPS = _words(
    "categories group_membership groups kategorien gruppen"
)  # of Outlook, Google, Mailchimp: the whole name
_MAIL = _words("email emails mail mails mailing newsletter newsletters")
_TEXTED = _words("sms text texts texting mobile phone all")
_EARLIER = _words(
    "previous prev prior past old before original former earlier removed deleted history quoted quote parent"
    " outbound outgoing sent draft drafts scheduled queued"
)
_NOT_NOW = _EARLIER | {"last", "from"}
_IDS = _words("contact_id lead_id person_id prospect_id subscriber_id external_id")
_PERSONS = _words(
    "contact contacts lead leads person people customer customers subscriber subscribers prospect prospects candidate applicant"
    " patient member client guest visitor participant participants"
)
_SENDERS = ("from", "sender", "author", "originator", "origination", "caller")
_RECIPIENTS = ("to", "recipient", "recipients", "receiver", "destination", "called", "callee")
_ADDRESSES = _words("number phone phone_number mobile msisdn tel email email_address address e164 id")
_SENT = (_ADDRESSES - {"id"}) | _words("sms mms message msg text call whatsapp")
_NUMBERS = _words(
    "msisdn wa_id e164 phone_e164 contact_number remote_number remote_phone external_number external_phone ani handset direct_dial",
    "hs_calculated_phone_number hs_whatsapp_phone_number",
)
# Somebody or something of ours.
_OURS = _words(
    "our us agent agents owner owners assignee assigned assistant ai bot staff employee employees operator operators rep reps",
    "representative recruiter manager host team teams tenant workspace organization organisation org company companies business",
    "account accounts brand office store shop location user users creator created provider campaign campaigns sequence sequences",
    "automation automations workflow workflows template templates prompt prompts configuration config channel inbox integration",
    "webhook attribution",
)
_NUMBER_OF = re.compile(r"\s*(?:no\.|n[º°]|№)", re.IGNORECASE)  # "No. SMS", "Nº SMS": how many
# What is offered, remarked, or counted.
_ASIDE = (
    _words(
        "button buttons option options choice choices suggestion suggestions suggested quick keyword keywords action actions",
        "note notes comment comments footer signature headers context",
        "stats statistics metrics counts count totals total summary analytics report",
    )
    | ATTACHED
)


class Key(NamedTuple):
    """A key, read. :ivar word: normalised."""

    word: str
    holds: int


@lru_cache(maxsize=4096)
def read_key(name: str) -> Key:
    """What a key is known to hold."""
    if len(name) > _LONGEST:
        return Key("", 0)
    word = normalise(_PACKAGE.sub("", _NUMBER_OF.sub("number of ", name)))
    holds = 0
    for found, what in (
        (word in _TEXTS, Holds.TEXT | Holds.ENVELOPE),
        (word in _VALUES, Holds.VALUE),
        (word in _SUBJECTS, Holds.SUBJECT),
        (word in _ENVELOPES, Holds.ENVELOPE),
        (word in _RECORDS, Holds.RECORD),
        (word in _WHO, Holds.WHO),
        (word in _TIMES, Holds.TIME),
        (is_opted_out(word), Holds.FLAG),
        ((_OPTED_OUT_AT.fullmatch(word) or names_its_day(word)) and not is_of_mail(word), Holds.SINCE),
        (asks_for_a_no(word), Holds.ASKED),
        (_is_status(word), Holds.STATUS),
        (_is_tags(word), Holds.TAGS),
        (word in _ERRORS, Holds.ERROR),
        (_is_number(name, word), Holds.NUMBER),
        (_is_email(name, word), Holds.EMAIL),
        (word in _IDS, Holds.ID),
        (word in _PERSONS, Holds.PERSON),
        (_is_party(word, _SENDERS), Holds.SENDER),
        (_is_party(word, _RECIPIENTS), Holds.RECIPIENT),
    ):
        if found:
            holds |= what
    known = Holds.TEXT | Holds.PERSON | Holds.REFUSAL | Holds.PARTY
    if not holds & known and (_OURS | _EARLIER | _ASIDE) & set(word.split("_")):
        holds |= Holds.ELSEWHERE
    return Key(word, holds)


def _is_number(name: str, word: str) -> bool:
    if word in _NUMBERS:
        return True
    return word not in _TEXTS and rank_of(name) is not None and not {"our", "user"} & set(word.split("_"))


def _is_email(name: str, word: str) -> bool:
    return bool(email_columns((name,))) and not (_OURS - {"business", "office"}) & set(word.split("_"))


def is_opted_out(word: str) -> bool:
    """Whether a word says by itself that somebody is not to be contacted."""
    return _OPTED_OUT.fullmatch(word) is not None or names_a_no(word)


@lru_cache(maxsize=4096)
def is_of_mail(word: str) -> bool:
    """Whether what a key says is about e-mail alone: ``email_status``, ``emailMarketingConsent``."""
    tokens = set(word.split("_"))
    return bool(tokens & _MAIL) and not tokens & _TEXTED


def _is_status(word: str) -> bool:
    tokens = set(word.split("_"))
    if word in _STATUS_NAMES or _REASONS.fullmatch(word):
        return True
    return bool(tokens & _STATUS or "opt_in" in word) and not tokens & _NOT_NOW and not is_of_mail(word)


def _is_tags(word: str) -> bool:
    tokens = set(word.split("_"))
    return word in _GROUPS or (bool(tokens & _TAGS) and not tokens & _NOT_NOW)


def _is_party(word: str, names: tuple[str, ...]) -> bool:
    """``from``, ``from_number``, ``sender_email``, ``sms_from``; not ``from_me``, ``sender_type``, ``to_do``."""
    for name in names:
        if word.endswith(f"_{name}") and word[: -len(name) - 1] in _SENT:
            return True
        if word == name or (word.startswith(f"{name}_") and word[len(name) + 1 :] in _ADDRESSES):
            return word not in {"from_id", "sender_id", "author_id", "to_id", "recipient_id"}
    return False
