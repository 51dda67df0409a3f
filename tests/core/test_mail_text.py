"""A word alone in an e-mail is heard above whatever the e-mail quotes, and whatever a program signs it with."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.mail_text import written_text
from airflow_outreach_provider.core.stop_words import USUAL

ANN = "Ann Muster-Beispiel <ann.muster-beispiel@firma-beispiel.com>"
HEADS = [
    f"On Mon, Mar 2, 2026 at 10:00 AM {ANN} wrote:", f"On Mon, Mar 2, 2026 at 10:00 AM {ANN}\nwrote:", f"On Mon, Mar 2, 2026 at 10:00 AM Ann <\n{ANN[5:]} wrote:",
    f"Am Mo., 2. März 2026 um 10:00 Uhr schrieb {ANN}:", f"Le lun. 2 mars 2026 à 10:00, {ANN} a\nécrit :", f"El lun, 2 mar 2026 a las 10:00, {ANN} escribió:",
    f"man. 2. mars 2026 kl. 10:00 skrev {ANN}:", f"Den mån 2 mars 2026 kl 10:00 skrev {ANN}:", f"pon., 2 mar 2026 o 10:00 {ANN} napisał(a):",
    f"po 2. 3. 2026 v 10:00 odesílatel {ANN} napsal:", f"ma 2. maalisk. 2026 klo 10.00 {ANN} kirjoitti:", f"пн, 2 мар. 2026 г. в 10:00, {ANN}:",
    f"{ANN}, 2 Mar 2026 Pzt, 10:00 tarihinde şunu yazdı:", f"{ANN} 于2026年3月2日周一 10:00写道：", f"2026年3月2日(月) 10:00 {ANN}:", f"2026-03-02 10:00 GMT+01:00 {ANN}:",
    f"2026년 3월 2일 (월) 오전 10:00, {ANN}님이 작성:", "*From:* Ann\n*Sent:* Monday", "From: Ann\nSent: Monday", "De : Ann\nEnvoyé : lundi", "От: Ann", "发件人：Ann", f"Frá: {ANN}",
    "Subject: Re: your job\nDate: Monday", "Betreff: Hallo", f"---- On Mon, 02 Mar 2026 10:00:00 -0500 {ANN} wrote ----", "------ Original Message ------",
    "---------- Forwarded message ---------", "Begin forwarded message:", "________________________________", "-----Ursprüngliche Nachricht-----", "| On Mon, Ann wrote:",
]  # fmt: skip
SIGNED = [
    "Sent from my iPhone", "Sent from Yahoo Mail on Android", "Sent from Mail for Windows", "Sent from Outlook for iOS", "Sent with Proton Mail secure email.",
    "Sent via the Samsung Galaxy S21, an AT&T 5G smartphone", "Sent from a mobile device", "Gesendet von meinem iPhone", "Gesendet mit der GMX Mail App",
    "Von meinem Samsung Galaxy Smartphone gesendet.", "Von Samsung Mobile gesendet", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone", "Enviado do meu iPhone",
    "Enviado desde mi iPhone", "Envoyé de mon iPhone", "Skickat från min iPhone", "Sendt fra min iPhone", "Lähetetty iPhonesta", "Wysłane z iPhone'a", "Odoslané z môjho iPhonu",
    "Отправлено с iPhone", "iPhoneから送信", "发自我的iPhone", "나의 iPhone에서 보냄", "iPhone'umdan gönderildi", "Get Outlook for Android<https://aka.ms/x>",
    "Outlook für Android herunterladen", "Télécharger Outlook pour iOS", "-- \nJane Doe", "Best regards,\nJane Doe\nAcme Inc.\n+1 416 555 0123", "Thanks,\nJane",
    "Mit freundlichen Grüßen\nJane", "This email and any attachments are confidential.",
]  # fmt: skip
HTML = [
    '<html><head><style type="text/css">P {margin-top:0;margin-bottom:0;}</style></head><body dir="ltr"><div>STOP</div><hr><div id="divRplyFwdMsg"><b>From:</b> Ann</div>',
    "<html><head><title>Re: hi</title></head><body>STOP</body></html>", "<p>STOP</p><!-- comment <b>x</b> > y -->",
    "<style><!-- p > a {b: c} --></style><script>if (1 < 2) x = '<p>'</script><p class=MsoNormal>Please stop. Thanks</p><p><b>Von:</b> Ann</p>",
    f"<div>STOP</div><!-- {'x' * 60_000} --><blockquote>Hello</blockquote>", f"<style>{'p{a:b}' * 10_000}</style><p>Stop</p><blockquote>{'<p>x</p>' * 4_000}</blockquote>",
    '<div>STOP</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon, Ann &lt;<a href="mailto:ann@example.com">ann@example.com</a>&gt; wrote:<br></div>',
    '<div>STOP</div><div class="yahoo_quoted">Hello</div>', '<div>STOP</div><div class="moz-cite-prefix">On 2.3. Ann</div>', '<p>STOP</p><div class="gmail_signature">Jane</div>',
    "STOP<div><br></div><div>On 2 Mar 2026, at 10:00, Ann &lt;ann@example.com&gt; wrote:</div>", "<p>Stop</p><p>Sent from <a href='x'>Mail</a> for Windows</p>",
]  # fmt: skip
LINES = st.sampled_from(["> Hello", "Hello Jane,", "", "> STOP", "call me at 5", "x" * 70])


@pytest.mark.parametrize("below", [*HEADS, *SIGNED])
def test_what_heads_a_quote_and_what_a_program_signs_is_not_the_writers(below: str) -> None:
    """Whatever the client and its language; however long what follows is; said by nobody where nothing stands above."""
    for rest in ("", "\n\n> Hello\n\nPlease call.\n" + "> line of a quote\n" * 3_000):
        assert f"STOP\n\n{below}{rest}" in USUAL
        assert f"Please call me\n\n{below}{rest}" not in USUAL
        assert f"STOP\r\n\r\n{below}{rest}".replace("\n", "\r\n") in USUAL


@pytest.mark.parametrize("message", HTML)
def test_styles_scripts_titles_and_comments_are_said_by_nobody(message: str) -> None:
    """Nor is what stands below a quote's mark; what a person wrote beside them counts."""
    assert message in USUAL
    assert (
        message.replace("STOP", "Call me").replace("Stop", "Call me").replace("stop", "call me") not in USUAL
    )


@pytest.mark.parametrize(
    "message",
    ["<style>STOP</style>", "<title>STOP</title><p>hello</p>", "<!-- STOP -->", "<p>Hello</p><blockquote>STOP</blockquote>", "> STOP", f"STOP {'x' * 50_000}",
     f"<p>STOP</p>{'<p>hello</p>' * 5_000}", f"STOP\n{'hello' * 10_000}", "Cancel\nmy appointment on 03/02/2026 at 10:00\nfor these reasons:",
     "Stop\nby my office and bring the iPhone", "Cancel\nmy budget Android phone", "Stop\n\nThanks,\nbut call me", "stop\nthanks\nnot now", "On Monday\nstop"],
)  # fmt: skip
def test_what_more_a_person_wrote_is_heard(message: str) -> None:
    """What is hidden or quoted was not said, and a line that only looks a little like a program's is the person's."""
    assert message not in USUAL


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(40))
@given(below=st.sampled_from([*HEADS, *SIGNED]), quoted=st.lists(LINES, max_size=9), blanks=st.integers(1, 3))
def test_nothing_below_a_heading_is_ever_said(below: str, quoted: list[str], blanks: int) -> None:
    """What the writer added is the same whatever stands below it, where that is set off as clients do."""
    mail = "\n".join(["I will call you", *[""] * blanks, below, "", *[f"> {line}" for line in quoted]])
    assert written_text(mail, 120) == "I will call you"


@pytest.mark.slow
@pytest.mark.parametrize(
    "message",
    ["<" + " " * 10**6, "<!---->" * 150_000, "<style>" * 150_000, "<" * 10**6, ("-" * 299 + "x\n") * 3_000, "&lt;" * 250_000, "a@" * 500_000, "\n" * 10**6 + "x",
     "<div " * 200_000, "<div " + "x " * 500_000, ("a@" * 140 + "\n") * 3_000, ("1/1/2026 10:00" + ":" * 280 + "x\n") * 3_000, ("<" + "a" * 1_999) * 500,
     "no " * 39, "a " * 59, "stop " * 24 + "x"],
    ids=range(16),
)  # fmt: skip
def test_no_message_takes_long(message: str) -> None:
    """Whoever can write to us can write a megabyte of anything; what grows with its square takes minutes for that."""
    begun = time.process_time()
    assert message not in USUAL
    assert time.process_time() - begun < 3
