"""Whole sentences by which people wish no more texts, put together of the ways to say each part.

A message is one where it is nothing else; so what turns such a wish around ("nicht löschen", "no me quiten de la
lista") is none of these.
"""

from __future__ import annotations

from itertools import product


def _said(*parts: str) -> tuple[str, ...]:
    """Every sentence of one choice of each part; choices are parted by ``|``, an empty one leaves the part out."""
    sentences = product(*(part.split("|") for part in parts))
    return tuple(" ".join(filter(None, words)) for words in sentences)


_DE_TEXTS = "SMS|Nachrichten|Textnachrichten|Werbung"
_FR_TEXTS = "messages|SMS|textos|publicités"
_ES_TEXTS = "mensajes|SMS|mensajes de texto"
_PT_TEXTS = "mensagens|mensagem|SMS"
_IT_TEXTS = "messaggi|SMS"
_NL_TEXTS = "berichten|sms|sms'jes|reclame"
_PL_TEXTS = "wiadomości|SMS|sms-ów|esemesów"
_SV_TEXTS = "sms|meddelanden|reklam"

STOP_WISHES = (
    # English
    *_said("no further|no more", "messages|texts|contact|communication|communications"),
    *_said("take|remove|delete", "my", "number|name|phone number|info|information|data|details", "off your list|from your list|off this list|from this list|off the list|from the list|from ur list"),
    *_said("remove|delete", "my", "name|info|information|data|details"),
    *_said("take", "my", "number|name|phone number", "off"),
    *_said("stop", "sending|sendin", "texts|messages|text messages|sms|these|these texts|these messages", "|to this number|to my number|to my phone|to me|to us"),
    *_said("I want|I would like|I'd like|I wanna", "to be removed|to be taken off|off|to get off|out", "|of this|of your list|of the list|of this list|from this list|from your list|from the list|this list|your list|the list|your lists"),
    *_said("get|take", "me", "off|out of", "this list|your list|the list|ur list|here"),
    *_said("cease", "all|any|any further|", "communication|communications|contact|messages|texts"),
    *_said("do not|dont|never", "txt|txt or call|text message", "me|us|", "again|anymore|any more|"),
    *_said("stop|quit", "txting|txtin|txtn|textin|texing|messagin|sending msgs to", "me|us"),
    "quit it", "knock it off", "forget me", "unsubcribe me", "unsuscribe me", "unsubscrbe", "unsubscrbe me", "unsubsribe me", "stpo", "sopt",
    *_said("this is not|I am not|I'm not|im not|not", "him|her|them|this person|that person", "stop|stop texting me|please stop|remove me"),
    *_said("I did not|I didn't|I never", "sign up|signed up|subscribe|subscribed|sign up for this|signed up for this|subscribe to this|asked for this|ask for this",
           "stop|please stop|stop texting me|please stop texting me|remove me|please remove me|unsubscribe me"),
    # German
    *_said("ich", "möchte|will|wünsche", "keine", f"{_DE_TEXTS}|weiteren SMS|weiteren Nachrichten", "|mehr", "|erhalten|bekommen|von Ihnen|von euch"),
    *_said("keine", _DE_TEXTS, "|mehr", "|schicken|senden|an mich|an diese Nummer|an meine Nummer"), *_said("keine", "weiteren", _DE_TEXTS, "|schicken|senden"),
    *_said("schicken Sie|senden Sie|schickt|sendet|schick|sende", "mir", "keine", _DE_TEXTS, "|mehr"),
    *_said("nehmen Sie|nehmt|nimm|streichen Sie|streicht|streich|löschen Sie|löscht|lösch|entfernen Sie|entfernt", "mich", "aus|von", "der Liste|dem Verteiler|Ihrer Liste|Ihrem Verteiler|eurer Liste|eurem Verteiler",
           "|heraus|raus"),
    *_said("aus", "der Liste|dem Verteiler", "nehmen|streichen|löschen|entfernen|austragen"), *_said("melden Sie|meldet|meld", "mich", "ab"), *_said("tragen Sie|tragt|trag", "mich", "aus"),
    *_said("ich", "widerrufe", "meine Einwilligung|meine Zustimmung|hiermit meine Einwilligung"), *_said("ich", "möchte|will", "mich", "abmelden|austragen"), *_said("löschen Sie|löscht", "meine", "Daten|Nummer|Handynummer"),
    "unterlassen Sie das", "lassen Sie das", *_said("nicht mehr", "kontaktieren|anschreiben|melden|schreiben"), *_said("kontaktieren Sie|kontaktiert", "mich", "nicht mehr"),
    # French
    *_said("je ne", "veux|souhaite|désire", "plus|pas", "recevoir", "de|vos|ces|aucun", _FR_TEXTS, "|de votre part"), *_said("je ne", "veux|souhaite", "plus|pas", "être", "contacté|contactée|sollicité|sollicitée|dérangé|dérangée"),
    *_said("plus|pas|assez", "de", _FR_TEXTS), *_said("plus", "aucun", "message|SMS"), *_said("arrêtez|arrête|cessez", "de m'envoyer|vos|ces|les", _FR_TEXTS), *_said("arrêtez|arrête|cessez", "de me", "contacter|déranger|harceler|solliciter"),
    *_said("stop", "aux|à ces|à vos", _FR_TEXTS), *_said("ne", "m'envoyez|m'envoie|m'envoyer", "plus", "de|vos", _FR_TEXTS), *_said("ne plus", "m'envoyer", "de|vos", _FR_TEXTS), *_said("ne plus me", "contacter|solliciter|déranger|écrire"),
    *_said("retirez|supprimez|enlevez|désinscrivez|désabonnez|effacez", "moi", "|de la liste|de votre liste|de vos listes|de cette liste"), *_said("retirez|supprimez|effacez|enlevez", "mon numéro|mes données|mes coordonnées", "|de votre liste|de vos listes|de la liste"),
    *_said("de", "me désinscrire|me désabonner|me retirer|me supprimer", "|de votre liste|de la liste|de vos listes"), *_said("je", "veux|souhaite", "me désinscrire|me désabonner"),
    "stoppez", "stoppez tout", "lâchez moi", "foutez moi la paix", "fichez moi la paix", "laissez moi en paix",
    # Spanish
    *_said("no|ya no", "quiero|deseo", "|recibir", "|más", _ES_TEXTS), *_said("no|ya no", "quiero|deseo", "recibir", _ES_TEXTS, "|suyos|de ustedes"),
    *_said("no|ya no", "me", "envíen|envíe|envíes|manden|mande|mandes|escriban", "más|", _ES_TEXTS), *_said("no|ya no", "envíen|envíe|manden|mande", "más|", _ES_TEXTS),
    *_said("no me", "molesten|moleste|molestes", "|más"), *_said("sáquenme|sáqueme|sácame|quítenme|quíteme|quítame|elimínenme|elimíneme|elimíname|bórrenme|bórreme|bórrame", "de", "la lista|su lista|esta lista|sus listas|la base de datos|su base de datos"),
    *_said("quiero|deseo|quisiera|solicito", "darme de baja|la baja|que me den de baja"), *_said("borren|borre|borra|eliminen|elimine|elimina|quiten", "mi número|mis datos|mi teléfono"), "ya basta", "basta de mensajes",
    # Portuguese
    *_said("não", "quero|desejo|gostaria de", "|mais", "receber", "|mais", _PT_TEXTS), *_said("não me", "mande|mandem|envie|enviem|contate|contatem|contacte|contactem|perturbe|perturbem", "mais"), *_said("não me", "contate|contatem|contacte|contactem|perturbe|perturbem"),
    *_said("não", "mande|mandem|envie|enviem", "mais", f"|{_PT_TEXTS}"), *_said("não me", "mande|mandem|envie|enviem", "|mais", _PT_TEXTS), *_said("me", "tirem|tire|tira|retirem|retire|removam|remova|remove", "da|dessa|desta|da sua", "lista"),
    *_said("remova|removam|retire|retirem|tire|tirem|apague|apaguem|descadastre|descadastrem|exclua|excluam", "|o", "meu", "número|contato|telefone|cadastro", "|da lista"), *_said("parem|pare|para", "de", "|me", "mandar|enviar", _PT_TEXTS),
    *_said("quero|gostaria de", "sair", "da lista|dessa lista"), *_said("quero|gostaria de", "|me", "descadastrar"), "sair da lista", "me descadastre", "me descadastra", "chega de mensagem",
    # Italian
    *_said("non", "voglio|desidero|intendo", "|più", "|ricevere", "|più|altri|vostri", _IT_TEXTS), *_said("toglietemi|toglimi|cancellatemi|rimuovetemi|eliminatemi", "dalla|dalla vostra|da questa", "lista"),
    *_said("non", "scrivetemi|scrivermi|contattatemi|contattarmi|disturbatemi|disturbarmi", "|più"), *_said("smettete|smettila|smettetela|smetta", "di", "scrivermi|contattarmi|mandarmi messaggi|inviarmi messaggi|disturbarmi"),
    *_said("non", "inviatemi|mandatemi|inviarmi|mandarmi", "|più", _IT_TEXTS), *_said("rimuovete|cancellate|eliminate|cancella|rimuovi|elimina|togliete", "il mio numero|i miei dati|il mio contatto", "|dalla lista|dalla vostra lista"),
    *_said("voglio|vorrei|desidero", "disiscrivermi|cancellarmi|essere cancellato|essere cancellata|essere rimosso|essere rimossa"), *_said("annulla|cancella", "iscrizione|l'iscrizione|la mia iscrizione"),
    # Dutch
    *_said("stop", "met", "sms'en|smsen|berichten|berichten sturen|berichten te sturen|mij te sms'en|mij te benaderen|deze berichten"), *_said("ik", "wil|wens", "geen", _NL_TEXTS, "meer", "|ontvangen|krijgen|van jullie|van u"),
    *_said("geen", _NL_TEXTS, "|meer", "|sturen"), *_said("haal|verwijder|schrap", "me|mij", "|van|uit", "de lijst|deze lijst|uw lijst|jullie lijst|het bestand"), *_said("verwijder|wis", "mijn", "nummer|gegevens|telefoonnummer"),
    *_said("schrijf|meld", "me|mij", "uit|af"), *_said("graag", "afmelden|uitschrijven|stoppen"), *_said("niet meer", "sms'en|smsen|contacteren|benaderen|berichten|sturen|appen"), *_said("stuur", "me|mij", "geen", _NL_TEXTS, "meer"),
    "neem geen contact meer op", "neem geen contact meer met mij op", "neem geen contact meer met me op",
    # Polish
    *_said("|proszę", "nie", "pisać|wysyłać SMS|wysyłać wiadomości|kontaktować się|wysyłać mi wiadomości|wysyłać mi SMS|pisać do mnie", "|więcej"), *_said("nie", "pisz|piszcie|wysyłaj|wysyłajcie", "więcej|do mnie więcej"),
    *_said("nie", "wysyłaj|wysyłajcie", "mi|mi więcej|więcej", _PL_TEXTS), *_said("nie", "chcę|życzę sobie", "|więcej|już", "|otrzymywać|dostawać", _PL_TEXTS), *_said("|proszę", "mnie", "wypisać|usunąć", "|z listy|z bazy"), "proszę o wypisanie", "proszę o wypisanie mnie z listy",
    *_said("usuń|usuńcie|usunąć|wykreślcie", "mój numer|moje dane|mnie", "|z listy|z bazy"), *_said("wypisz|wypiszcie", "mnie", "|z listy"),
    # Swedish
    *_said("sluta", "skicka|skicka sms|skicka meddelanden|smsa|smsa mig|kontakta mig|skriva|skriva till mig|störa mig|skicka mig sms"), *_said("kontakta|smsa|skriv till", "mig", "inte|inte mer|inte igen"),
    *_said("|skicka", "inga fler|inga mer", _SV_TEXTS), *_said("ta bort", "mig|mitt nummer|mina uppgifter", "|från listan|från er lista"), *_said("avregistrera|avanmäl|avprenumerera", "mig|mitt nummer"),
    *_said("jag", "vill inte", "|ha|få", "fler|mer|några fler|några", _SV_TEXTS), "lämna mig ifred", "lämna mig i fred", "hör inte av er mer", "hör inte av dig mer",
)  # fmt: skip
