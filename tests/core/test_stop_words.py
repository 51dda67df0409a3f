"""A message that is nothing but a stop word opts out; a message that only holds one does not."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.sources import source_settings
from airflow_outreach_provider.core.stop_vocabulary import (
    AFTER,
    BESIDE,
    COURTESIES,
    IN_SENTENCES,
    START_WORDS,
    STOP_WORDS,
)
from airflow_outreach_provider.core.stop_words import USUAL, is_start_word, stop_words


@pytest.mark.parametrize(
    "message",
    ["STOP", "stop", "Stop.", " STOP!! ", "s t o p", "StopAll", "stop all", "UNSUBSCRIBE", "cancel", "END", "quit", "Revoke",
     "OPT OUT", "opt-out", "OptOut", "unsub", "ARRÊT", "arret", "Baja", "alto", "PARAR", "Stopp", "abmelden", "SAIR",
     "cancelar", "annulla", "СТОП", "退订", "수신거부", "İPTAL", "ＳＴＯＰ", "STOP 🛑", "\u200eSTOP\u200f", "«Stop»", "STOP STOP",
     "stop, unsubscribe", "STOP\n\nOn Mon, 2 Mar 2026 at 10:00, Ann <ann@example.com> wrote:\n> Hello",
     "<div>Stop</div><br><blockquote>Hello Jane, are you free?</blockquote>", "Unsubscribe\n\nSent from my iPhone",
     "stop\n> Hello", "Stop&nbsp;", "ANNULER", "REVOKE.", "OPTOUT", "S.T.O.P.", "S\u200bT\u200bO\u200bP", "𝐒𝐓𝐎𝐏", "🅂🅃🄾🄿", "\ufeffstop", "✋ stop 🙏",
     "[STOP]", "*stop*", "Please stop", "stop, please", "Stop thanks", "Stop texting me", "unsubscribe me", "取消", "por favor, baja",
     "S'il vous plaît arrêter", "STOP STOP!!!", "🆂🆃🅾🅿", "🅢🅣🅞🅟", "🇸🇹🇴🇵", "SLUTT", "Eliminar", "quitar por favor", "UNREG", "Berhenti langganan",
     "עצור", "durdurun lütfen", "그만해요", "Lasst mich in Ruhe!", "arrêtez de m'envoyer des messages", "no quiero recibir más mensajes", "dejen de mandarme mensajes",
     "não quero receber mensagens", "non scrivermi più", "I told you to stop!", "Please stop with the texts",
     "ST🛑P", "St⭕p!", "RE: STOP", "Re: AW: unsubscribe", "STOP\n[image: logo]", "Stop [cid:image001.png@01D]", "Stop\n\nJane Doe\nSenior Manager\nAcme Inc.\n+1 416 555 0123\nwww.acme.com"],
)  # fmt: skip
def test_nothing_but_a_stop_word_is_a_stop_word(message: str) -> None:
    """Case, blanks, punctuation, accents, quoted mail and the language do not matter."""
    assert message in USUAL


@pytest.mark.parametrize(
    "message",
    ["please stop by tomorrow", "Stop by at 5", "can't stop laughing", "nonstop", "the end", "I quit my job, call me",
     "cancel my 3pm and book 4pm", "do not stop", "bus stop", "", " ", "...", "🛑", "yes", "START", "stopwatch", "end of month?",
     "please", "thanks", "please call", "🇺🇸", "🇹🇩", "🇸🇦🇮🇷", "🇦🇱🇹🇴", "🅿", "🛑 ahead", "re: your stop by", "re:", "[image: STOP]", "stop by re: re: lunch", "the bus re: stop", "slutten av måneden", "quiero eliminar la mancha", "no quiero quitar nada", "don't unsub me", "I was told to stop by", "stop please call me", "thanks, not now",
     "Hi!\n\nOn Mon, Ann wrote:\n> STOP", "> STOP", "x" * 50_000, "stop " * 2000],
)  # fmt: skip
def test_a_message_that_says_more_is_none(message: str) -> None:
    """Whoever writes a sentence means the sentence, and what is quoted was said by somebody else."""
    assert message not in USUAL


POLITE = [
    "Please stop. Thanks", "Please stop, thank you", "Stop please. Thank you.", "please please stop", "stop please please", "stop stop stop please",
    "Unsubscribe please, thank you", "Stop bitte danke", "stopp takk", "İptal lütfen", "ıptal", "стоп пожалуйста", "Отписаться, спасибо",
    "Відписатися, будь ласка", "dank u, stop", "Afmelden alstublieft", "WYPISZ MNIE, proszę", "Zrušit, děkuji", "Lopeta, kiitos", "Merci d'arrêter",
    "停止してください", "配信停止お願いします", "请退订，谢谢", "수신거부 부탁드립니다", "중지해 주세요", "ยกเลิกครับ", "הסר בבקשה", "توقف من فضلك", "إلغاء، شكرا",
    "dừng, cảm ơn", "pleasestop", "stopplease", "arrêtsvp", "please s t o p", "Stop 🙏 please 🙏", "STOPPP pleeease",
]  # fmt: skip
PLAIN = [
    "stop now", "stop it now", "STOP ALL MESSAGES", "Stop immediately!", "remove me from your list", "please take me off this list", "no thanks, stop",
    "No. STOP", "no, no, stop", "no - stop", "STOP and unsubscribe", "Hi, please stop", "Hello. Stop texting me now, please", "just stop", "leave me alone",
    "Wrong number. Stop", "not interested, stop", "do not text me again", "end all texts", "stop spamming me", "لا، توقف", "Nein, sofort stopp", "Hola, baja",
    "退订短信",
]  # fmt: skip


GREETED = [
    "Hi Ann, stop", "hi ann - STOP please", "Hello Ann. Please remove me", "Dear Mr. Smith, unsubscribe", "Hola Ana, alto por favor", "Bonjour Anne-Marie, arrêtez",
    "hey sam!! stop texting me", "Hi Ann Lee Smith: stop", "Good morning Ann\nstop", "Привет Анна, стоп", "你好 小王，退订", "Hi O'Brien, no, stop",
]  # fmt: skip


ASKED = [
    "can you stop texting me?", "Can you please remove me from your list?", "could you please stop messaging me", "how do I unsubscribe?", "How can I opt out",
    "please don't text this number again", "never contact me again", "I don't want to receive these messages", "I said STOP!", "no más mensajes, no me contacten",
    "не пишите мне больше", "schreiben Sie mir nicht mehr", "não me mande mais mensagens", "no, don't message me", "Thank you but please stop", "stop it already",
]  # fmt: skip
LOOKS_LIKE = [
    "ST0P", "5TOP", "$T0P", "st0p texting me", "UN5UBSCR1BE", "0PT 0UT", "STОP", "\u0405\u0422\u041e\u0420", "\u0421\u0422\u041e\u0420", "CTOP", "CTO\u041f", "\u0421\u0422\u041eP",
    "\u03a3TO\u03a0", "ꜱᴛᴏᴘ", "un\u0455ubscribe, please",
]  # fmt: skip
SIGNED = [
    "Please unsubscribe me.\n\nJane Doe\nCEO, Acme\n555-0123\njane@example.com", "Stop\n\nJane", "Please remove me. Thanks, Jane", "STOP. Thank you - Jane Doe",
    "<div>Stop</div><div>Jane Doe</div><blockquote>Hello Jane</blockquote>",
]  # fmt: skip


@pytest.mark.parametrize("message", [*POLITE, *PLAIN, *GREETED, *ASKED, *LOOKS_LIKE, *SIGNED])
def test_a_stop_word_with_what_changes_nothing_beside_it_is_one(message: str) -> None:
    """However often somebody says please and thanks, and whether they greet, or say when, what and where from."""
    assert message in USUAL


@pytest.mark.parametrize(
    "message",
    ["don't stop", "please don't stop", "I can't stop now", "cancel my appointment", "no", "no thanks", "wrong number", "not interested", "not now",
     "I will stop by now", "is there a stop now?", "cancel now?", "Cancel? No", "this stop", "no end", "No parar", "no cancelar", "para ahora", "hi", "now",
     "all messages", "stop please and call me now", "remove the second one from your list", "取消预约", "请不要停止", "停止しないでください", "중단하지 마세요", "end of the month please",
     "no more questions", "START STOP", "Hi Ann, stop by tomorrow", "Hi Ann, don't stop", "hi dont stop", "Hi please don't, stop", "hi never, stop",
     "Hi non-stop", "hi bus-stop", "Hey why not. End", "Ann, Monday, cancel my visit", "Hi Ann, cancel? No",
     "can you stop by tomorrow", "can you stop by tomorrow?", "can you stop at the shop", "can you cancel my 3pm", "how do I stop by", "can you remove me from the waiting list",
     "do you want me to unsubscribe?", "I'll stop by. Thanks, Jane", "See you at the stop.\n\nJane", "5", "0", "1 end table", "stop 5", "Yes\n\nStop By", "never mind", "don't call"],
)  # fmt: skip
def test_what_turns_a_stop_word_around_keeps_it_from_being_one(message: str) -> None:
    """A no without a mark, another word, a question: then the sentence is meant, and what is said beside alone is nothing."""
    assert message not in USUAL


@settings(deadline=None, max_examples=examples(60))
@example(word="STOP", around=["PLEASE", "TAK"], place=2, mark="\n", start="START")
@given(
    word=st.sampled_from(STOP_WORDS),
    around=st.lists(st.sampled_from(COURTESIES), max_size=4),
    place=st.integers(0, 4),
    mark=st.sampled_from([" ", ", ", ". ", "\n", " - ", "! 🙏 "]),
    start=st.sampled_from(START_WORDS),
)
def test_courtesies_change_nothing_wherever_they_stand(
    word: str, around: list[str], place: int, mark: str, start: str
) -> None:
    """For stop words and for START, in any language, in any number; alone they are neither."""
    for asked, is_asked in ((word, USUAL.__contains__), (start, is_start_word)):
        said = mark.join([*around[:place], asked, *around[place:]])
        assert is_asked(said) is (len(said) <= 120)
        assert not is_asked(mark.join(around))


@settings(deadline=None, max_examples=examples(60))
@given(
    word=st.sampled_from([each for each in STOP_WORDS if each not in IN_SENTENCES]),
    before=st.lists(st.sampled_from(BESIDE), max_size=2),
    behind=st.lists(st.sampled_from([*BESIDE, *AFTER]), max_size=2),
    other=st.sampled_from(["don't", "appointment", "by", "maybe", "Tuesday", "my"]),
)
def test_what_is_said_beside_a_stop_word_counts_only_with_nothing_else(
    word: str, before: list[str], behind: list[str], other: str
) -> None:
    """One other word, and the sentence is meant; START takes nothing beside it at all."""
    said = [*before, word, *behind]
    assume(other != "don't" or not said[0].startswith("TEXT"))  # "don't TEXT" and "STOP" are two of them
    assert (" ".join(said) in USUAL) is (len(" ".join(said)) <= 120)
    assert " ".join([other, *said]) not in USUAL
    assert " ".join([*said, other]) not in USUAL
    assert not before or not is_start_word(" ".join([*before, "START"]))


def test_a_word_taken_out_is_none_though_it_is_made_of_others() -> None:
    """``-STOP IT``: STOP and what changes nothing would make it one again."""
    words = stop_words("-STOP IT, -unsubscribe all").changed("genug")
    assert ("stop it!" in words, "Unsubscribe all" in words) == (False, False)
    assert ("stop" in words, "unsubscribe" in words, "genug, bitte" in words) == (True, True, True)
    assert "stop it" in words.changed("STOP IT")


@settings(deadline=None)
@given(
    st.sampled_from(STOP_WORDS),
    st.text(" .,!?*_-\"'()\t\n\u00a0\u200b", max_size=4),
    st.text(" .,!?*_-\"'()\t\n\u00a0\u200b", max_size=4),
    st.sampled_from([str, str.lower, str.upper, str.title, str.swapcase]),
)
def test_every_word_counts_in_every_case_between_any_marks(
    word: str, before: str, after: str, case: object
) -> None:
    """The listed words are stop words however they are set."""
    assert before + case(word) + after in USUAL  # type: ignore[operator]


def test_an_installation_adds_and_removes_words() -> None:
    """``[outreach] stop_words`` adds to the usual words, and takes those out that have a - before them."""
    words = stop_words("Genug, -END\nlass mich in Ruhe")
    assert "GENUG!" in words
    assert "Lass mich in Ruhe." in words
    assert "end" not in words
    assert "stop" in words
    assert "genug" not in USUAL


def test_a_setting_may_replace_the_usual_words_and_a_source_change_those_of_the_installation() -> None:
    """After ``=`` the words named are all there are; a source goes on from what the installation says."""
    own = stop_words("= GENUG; fertig")
    assert ("genug" in own, "FERTIG." in own, "stop" in own) == (True, True, False)
    of_source = source_settings(
        "s", password=None, extra={"platform": "tether", "stop_words": "Klaar, -fertig"}, stop_words=own
    ).stop_words
    assert ("klaar" in of_source, "genug" in of_source, "fertig" in of_source) == (True, True, False)
    assert source_settings("s", password=None, extra={"platform": "tether"}).stop_words == USUAL
    assert stop_words("") == USUAL


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        ("START", True),
        ("unstop.", True),
        ("start please, thanks", True),
        ("start the car", False),
        ("start again", False),
        ("hi, start now", False),
        ("no. start", False),
        ("yes", False),
        (None, False),
    ],
)
def test_start_words(message: object, is_one: bool) -> None:
    """START and UNSTOP, alone, take a stop word back."""
    assert is_start_word(message) is is_one


@pytest.mark.parametrize(
    ("message", "stops"),
    [("Bitte keine weiteren Nachrichten", True), ("Keine Werbung mehr!", True), ("no molestar por favor", True), ("Do not disturb", True),
     ("Rimuovimi dalla lista", True), ("Cancellatemi dalla vostra lista, grazie", True), ("Cancel my subscription please", True), ("Stop promotions", True),
     ("cancel my appointment", False), ("Keine weiteren Fragen", False), ("no molesta", False), ("sono sulla lista", False), ("promotions", False)],
)  # fmt: skip
def test_further_wishes_to_be_left_alone(message: str, stops: bool) -> None:
    """What people write in place of STOP, and what is like it and asks for nothing of the kind."""
    assert (message in USUAL) is stops


WISHES_OF_PEOPLE = [
    "Ich möchte keine SMS mehr erhalten", "Bitte keine SMS mehr schicken", "Bitte nehmen Sie mich aus dem Verteiler. Danke", "Ich widerrufe meine Einwilligung", "Keine SMS!",
    "Je ne veux plus recevoir de messages, merci", "Retirez-moi de votre liste svp", "Désinscrivez-moi de votre liste", "Plus de SMS svp 🙏", "Je ne souhaite plus être contactée",
    "No me manden mensajes", "Sáquenme de la lista por favor", "Quiero darme de baja", "No me envíen más SMS, gracias", "Não quero mais receber mensagens", "Me tirem da lista por favor", "Não me contatem",
    "Non voglio più ricevere messaggi", "Toglietemi dalla lista, grazie", "Smettete di scrivermi", "Ik wil geen berichten meer ontvangen", "Haal me van de lijst aub", "Stop met sms'en", "Meld me af",
    "Proszę nie pisać", "Nie chcę otrzymywać wiadomości", "Proszę usunąć mój numer", "Sluta smsa mig", "Jag vill inte ha fler sms, tack", "Ta bort mitt nummer", "Hi Ann, take my name off your list please",
    "I want off this list", "No further messages", "dont txt me", "Stop sending texts to this number!!", "I never signed up, stop texting me", "STPO", "Please delete my data",
]  # fmt: skip
NO_WISHES = [
    "Bitte nicht löschen", "nicht abmelden", "Ich möchte mehr SMS erhalten", "Keine SMS bekommen?", "Ich habe keine SMS mehr erhalten", "Je veux recevoir vos messages", "Je n'ai plus de messages", "ne me désinscrivez pas",
    "No me quiten de la lista", "no me den de baja", "Quiero recibir mensajes", "No quiero cancelar", "Não me tirem da lista", "não sair", "non cancellatemi dalla lista", "Voglio ricevere messaggi", "niet afmelden",
    "Haal me op van de lijst", "Nie usuwaj mojego numeru", "ta inte bort mig", "Jag vill ha fler sms", "Don't take my name off your list", "I never unsubscribe", "don't stop, keep going", "delete my order", "take my number",
    "Do I want off this list?", "no more questions", "I did sign up",
]  # fmt: skip


@pytest.mark.parametrize("message", WISHES_OF_PEOPLE)
def test_a_whole_sentence_that_wishes_no_more_texts_is_one(message: str) -> None:
    """Politely and in their own language people do not say STOP; an installation's own words replace these too."""
    assert message in USUAL
    assert message not in USUAL.changed("=GENUG")
    assert message in USUAL.changed("GENUG, -END")


@pytest.mark.parametrize("message", NO_WISHES)
def test_a_sentence_with_the_same_words_that_wishes_something_else_is_none(message: str) -> None:
    """Who asks to be kept, or asks at all, goes on being texted."""
    assert message not in USUAL


def test_a_sentence_can_be_taken_out() -> None:
    """As a word can; others stay."""
    assert "Keine SMS" not in USUAL.changed("-KEINE SMS")
    assert "Keine SMS mehr" in USUAL.changed("-KEINE SMS")
