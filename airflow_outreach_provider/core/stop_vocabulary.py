"""What people say who want no more texts, in the languages people are texted in."""

from __future__ import annotations

# English ones are those that carriers in North America demand (CTIA, 47 CFR 64.1200(a)(10)).
STOP_WORDS = (
    "STOP", "STOP ALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "REVOKE", "OPT OUT", "REMOVE", "REMOVE ME",
    "UNSUBSCRIBE ME", "UNSUBSCRIBE ALL", "OPT ME OUT", "OPT OUT ALL", "TAKE ME OFF", "STOP IT", "STOP TEXTING", "STOP TEXTING ME",
    "STOP TEXTS", "STOP SMS", "STOP MSG", "STOP MESSAGES", "STOP MESSAGING ME", "STOP CONTACTING ME", "DO NOT TEXT", "DO NOT TEXT ME",
    "DONT TEXT ME", "DO NOT CONTACT", "DO NOT CONTACT ME", "DONT CONTACT ME", "NO MORE TEXTS", "NO MORE MESSAGES",
    "NO MORE", "STOP THIS", "QUIT TEXTING ME", "DELETE ME", "DELETE MY NUMBER", "REMOVE MY NUMBER", "LOSE MY NUMBER", "LEAVE ME ALONE",
    "STOP PROMOTIONS", "STOP PROMOS", "CANCEL SUBSCRIPTION", "CANCEL MY SUBSCRIPTION", "DO NOT DISTURB", "STOP SENDING ME THIS", "REVOKE CONSENT", "I REVOKE CONSENT", "I REVOKE MY CONSENT", "I OPT OUT", "I WANT TO OPT OUT", "I WOULD LIKE TO OPT OUT",
    "ID LIKE TO OPT OUT", "I WANT TO UNSUBSCRIBE", "I WOULD LIKE TO UNSUBSCRIBE", "ID LIKE TO UNSUBSCRIBE",
    "I WANT TO BE REMOVED", "UNSUBSCRIBED", "UNSUBCRIBE", "UNSUSCRIBE", "UNSUBSCIBE", "UNSUBSRIBE", "OPTING OUT", "SOTP", "STOP2END", "REPLY STOP",
    "CAN YOU PLEASE STOP", "COULD YOU PLEASE STOP", "WOULD YOU PLEASE STOP", "I SAID STOP", "I ALREADY SAID STOP", "STOP TXT", "STOP TXTS", "STOP TXTING", "STOP TXTING ME", "STOP SENDING", "STOP SENDING ME",
    "REMOVE MY PHONE NUMBER", "DELETE MY PHONE NUMBER", "DELETE THIS NUMBER", "LOSE THIS NUMBER", "CEASE", "CEASE AND DESIST", "GO AWAY", "FUCK OFF",
    "PISS OFF", "DNC", "NO TEXTS", "UNSUB ME", "UNSUBSCIRBE", "TEXT STOP", "TXT STOP", "I TOLD YOU TO STOP", "I TOLD YOU TO STOP TEXTING ME", "I WISH TO UNSUBSCRIBE", "I WISH TO OPT OUT",
    *(f"{stop} {what}" for stop in ("STOP WITH", "I WANT TO STOP RECEIVING", "I WANT TO STOP GETTING") for what in ("THE TEXTS", "THE MESSAGES", "THESE TEXTS", "THESE MESSAGES", "TEXTS", "MESSAGES")),
    *(f"{no} {verb}{whom}" for no in ("DO NOT", "DONT", "NEVER") for verb in ("TEXT", "MESSAGE", "CONTACT", "CALL OR TEXT", "TEXT OR CALL") for whom in ("", " ME", " US")),
    *(f"I {dont} WANT {what}" for dont in ("DO NOT", "DONT", "NO LONGER") for what in (
        "THESE TEXTS", "THESE MESSAGES", "ANY MORE TEXTS", "ANY MORE MESSAGES", "ANYMORE TEXTS", "ANYMORE MESSAGES", "TO BE CONTACTED", "TO RECEIVE TEXTS",
        "TO RECEIVE MESSAGES", "TO RECEIVE THESE TEXTS", "TO RECEIVE THESE MESSAGES", "TO RECEIVE ANY MORE TEXTS", "TO RECEIVE ANY MORE MESSAGES")),
    "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE", "DESINSCRIPTION",  # French
    "ANNULER", "ANNULEZ", "ME DESABONNER", "SE DESABONNER", "ME DESINSCRIRE", "SUPPRIMER", "STOP PUB",
    "NE PLUS ME CONTACTER", "NE ME CONTACTEZ PLUS", "LAISSEZ MOI TRANQUILLE",
    "SE DESINSCRIRE", "ARRETEZ DE M'ENVOYER DES MESSAGES", "ARRETEZ DE M'ENVOYER DES SMS", "NE M'ENVOYEZ PLUS DE MESSAGES", "NE M'ENVOYEZ PLUS DE SMS", "NE M'ENVOYEZ PLUS RIEN",
    "ARRETE", "ARRETEZ DE M'ECRIRE", "NE M'ECRIVEZ PLUS", "NE ME CONTACTE PLUS", "DESABONNEZ MOI", "DESINSCRIVEZ MOI", "SUPPRIMEZ MON NUMERO",
    "BAJA", "DAR DE BAJA", "DARME DE BAJA", "DARSE DE BAJA", "ALTO", "PARAR", "PARA", "DETENER", "CANCELAR", "NO MAS",  # Spanish
    "DE BAJA", "ANULAR", "DESUSCRIBIR", "DESUSCRIBIRME", "DESUSCRIBIRSE", "CANCELAR SUSCRIPCION", "NO MAS MENSAJES",
    "NO MAS SMS", "NO ME ESCRIBA MAS", "NO ME ESCRIBAN MAS", "NO ME ESCRIBAS MAS", "DEJENME EN PAZ", "DEJAME EN PAZ",
    "DAME DE BAJA", "DEME DE BAJA", "DENME DE BAJA", "NO ME ESCRIBA", "NO ME ESCRIBAN", "NO ME CONTACTEN", "NO ME CONTACTEN MAS", "NO ME CONTACTE MAS",
    "NO ME CONTACTES MAS", "DEJA DE ESCRIBIRME", "DEJE DE ESCRIBIRME", "DEJEN DE ESCRIBIRME", "NO QUIERO MAS MENSAJES", "NO ME MANDEN MAS MENSAJES",
    "ELIMINAR", "ELIMINARME", "ELIMINAME", "ELIMINEN MI NUMERO", "QUITAR", "QUITARME", "BORRAR", "BORRARME", "BORRAME", "BORRAR MI NUMERO",
    "DEJEN DE MOLESTAR", "DEJA DE MOLESTAR", "NO ME MANDES MAS MENSAJES", "NO ME MANDE MAS MENSAJES", "YA NO ME MANDEN MENSAJES", "YA NO ME ESCRIBAN",
    *(f"{dejar} DE {mandar} MENSAJES" for dejar in ("DEJA", "DEJE", "DEJEN") for mandar in ("MANDAR", "MANDARME", "ENVIAR", "ENVIARME")),
    *(f"NO {quiero} RECIBIR{mas} {mensajes}" for quiero in ("QUIERO", "DESEO") for mas in ("", " MAS") for mensajes in ("MENSAJES", "SMS")),
    "NO MOLESTAR", "NO MOLESTEN", "BORRENME", "BORREN MI NUMERO", "QUITENME DE LA LISTA", "QUITENME DE SU LISTA",
    "PARE", "SAIR", "REMOVER", "DESCADASTRAR", "DESINSCREVER", "CANCELA",  # Portuguese
    "PARE DE MANDAR MENSAGENS", "CHEGA DE MENSAGENS", "NAO QUERO MAIS", "NAO QUERO MAIS MENSAGENS", "ME DEIXE EM PAZ",
    "PARE DE ENVIAR MENSAGENS", "PAREM DE ENVIAR MENSAGENS", "PARA DE MANDAR MENSAGEM", "PARA DE ME MANDAR MENSAGEM", "NAO QUERO RECEBER MENSAGENS", "NAO QUERO RECEBER MAIS MENSAGENS",
    "PAREM", "PARE DE ME MANDAR MENSAGEM", "PARE DE ME MANDAR MENSAGENS", "PAREM DE ME MANDAR MENSAGENS", "NAO ME MANDE MAIS MENSAGEM",
    "NAO ME MANDE MAIS MENSAGENS", "NAO ME MANDEM MAIS MENSAGENS", "ME TIRA DA LISTA", "ME TIRE DA LISTA", "ME REMOVA DA LISTA", "REMOVA MEU NUMERO",
    "STOPP", "ABMELDEN", "ABMELDUNG", "ABBESTELLEN", "AUSTRAGEN", "AUFHÖREN",  # German
    "KEINE WERBUNG", "KEINE WERBUNG MEHR", "KEINE WEITEREN NACHRICHTEN", "KEINE WEITEREN SMS", "KEINE SMS MEHR", "KEINE NACHRICHTEN MEHR", "LASS MICH IN RUHE", "LASSEN SIE MICH IN RUHE",
    "LASST MICH IN RUHE", "NICHT MEHR SCHREIBEN", "SCHREIBT MIR NICHT MEHR", "NUMMER LÖSCHEN", "LÖSCHT MEINE NUMMER",
    "HÖR AUF", "HÖREN SIE AUF", "SCHREIB MIR NICHT MEHR", "SCHREIBEN SIE MIR NICHT MEHR", "LÖSCHEN", "LÖSCHEN SIE MEINE NUMMER", "MEINE NUMMER LÖSCHEN",
    "ANNULLA", "CANCELLA", "CANCELLAMI", "DISISCRIVI", "DISISCRIVIMI", "BASTA", "FERMA",  # Italian
    "CANCELLARMI", "RIMUOVERE", "RIMUOVIMI", "NON SCRIVETEMI PIU", "LASCIATEMI IN PACE", "LASCIAMI IN PACE",
    "NON SCRIVERMI PIU", "NON MI SCRIVERE PIU", "BASTA MESSAGGI", "BASTA SMS",
    "SMETTILA", "SMETTETELA", "NON MI SCRIVETE PIU", "NON CONTATTATEMI PIU", "NON MI CONTATTATE PIU", "CANCELLATEMI", "RIMUOVETEMI",
    *(f"{verb} DALLA {lista}" for verb in ("CANCELLAMI", "RIMUOVIMI", "CANCELLATEMI", "RIMUOVETEMI") for lista in ("LISTA", "VOSTRA LISTA")),
    "STOPPEN", "AFMELDEN", "UITSCHRIJVEN", "GEEN BERICHTEN MEER", "LAAT ME MET RUST", "STOP ERMEE",  # Dutch
    "AVSLUTA", "AVREGISTRERA", "AVMELD", "AVMELDE", "AFMELD", "FRAMELD", "LOPETA", "PERUUTA",  # the North
    "SLUTT", "STOPPA", "SLUTA", "STANS", "LOPETTAKAA", "INGA FLER MEDDELANDEN", "MELD AV", "MELD MEG AV",
    "WYPISZ", "WYPISZ MNIE", "ANULUJ", "REZYGNUJĘ", "REZYGNACJA", "ODHLÁSIT", "ODHLÁSIŤ", "ZRUŠIT", "ZRUŠIŤ", "LEIRATKOZÁS", "LEIRATKOZOM", "DEZABONARE",
    "PRZESTAŃ", "PRZESTAŃCIE", "NIE PISZ DO MNIE", "NIE PISZCIE DO MNIE", "OPRIȚI", "ΣΤΑΜΑΤΑ", "ΣΤΑΜΑΤΗΣΤΕ",
    "НЕ ПИШИТЕ", "НЕ ПИШИТЕ БОЛЬШЕ", "НЕ ПИШИТЕ МНЕ БОЛЬШЕ", "БОЛЬШЕ НЕ ПИШИТЕ", "БОЛЬШЕ НЕ ПИШИТЕ МНЕ", "ХВАТИТ", "ПРЕКРАТИТЕ", "УДАЛИТЕ МЕНЯ",
    "УДАЛИТЕ МОЙ НОМЕР", "ЗУПИНИТИ", "НЕ ПИШІТЬ", "НЕ ПИШІТЬ МЕНІ", "ВІДПИСКА",
    "ODJAVA", "СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ОТМЕНА", "ВІДПИСАТИСЯ", "СПРИ", "ОТПИШИТЕ", "ОТПИШИТЕ МЕНЯ", "НЕ ПИШИТЕ МНЕ", "ОТСТАНЬТЕ", "ΣΤΟΠ", "ΔΙΑΓΡΑΦΗ",
    "İPTAL ET", "İPTAL EDİN", "DURDURUN", "עצור", "עצרו", "UNREG", "HENTI", "BERHENTI LANGGANAN", "BERHENTI BERLANGGANAN", "DỪNG LẠI", "หยุดส่ง", "그만해", "그만해요",
    "İPTAL", "DUR", "RET", "DURDUR", "הסר", "הסרה", "הסר אותי", "הסירו", "הסירו אותי", "إيقاف", "ايقاف", "إلغاء", "الغاء", "توقف",
    "退订", "退訂", "取消", "停止", "配信停止", "解除", "수신거부", "중지", "중단", "BERHENTI", "BATAL", "HỦY", "DỪNG", "取消订阅", "取消訂閱", "登録解除", "구독취소", "ยกเลิก", "หยุด", "बंद", "रोकें", "बंद करो", "बंद करें",
    "退", "TD", "停", "拒收", "停止发送", "停止發送", "不要再发", "不要再发了", "不要再發", "不要再發了", "别再发", "别再发了", "別再發", "別再發了", "やめて", "中止", "送らないで",
    "그만", "그만하세요", "그만 보내세요", "보내지 마세요", "거부", "정지", "תפסיק", "תפסיקו", "قف", "NGỪNG", "JANGAN HUBUNGI SAYA LAGI", "TIGIL", "ITIGIL",
    "MESAJ ATMAYIN", "YAZMAYIN",
    "СТОР", "CTOP",  # СТОП, with the letter that looks like the P of STOP; and in Latin letters that look like its own
)  # fmt: skip
# Not YES, which carriers take for it too: it answers whatever was asked last.
START_WORDS = ("START", "UNSTOP")
IN_SENTENCES = ("PARA", "ALTO", "RET", "DUR", "ХВАТИТ", "停", "退", "TD")
"""Stop words that are other words too, where anything but a courtesy stands beside them: "para ahora" is "for now"."""
COURTESIES = (
    "PLEASE", "PLS", "PLZ", "PLEASE AND THANK YOU", "KINDLY", "THANKS", "THANK YOU", "THANK U", "THANKYOU", "THX", "TY", "TYVM", "CHEERS", "MANY THANKS",
    "THANKS A LOT", "THANKS SO MUCH", "THANK YOU SO MUCH", "THANK YOU VERY MUCH", "THANKS VERY MUCH", "THANKS IN ADVANCE", "THANK YOU IN ADVANCE",
    "SVP", "STP", "S'IL VOUS PLAIT", "S'IL TE PLAIT", "MERCI", "MERCI DE", "MERCI D'", "MERCI BEAUCOUP", "MERCI D'AVANCE", "VEUILLEZ",  # French
    "POR FAVOR", "PORFA", "FAVOR DE", "GRACIAS", "MUCHAS GRACIAS", "MIL GRACIAS",  # Spanish
    "OBRIGADO", "OBRIGADA", "MUITO OBRIGADO", "MUITO OBRIGADA", "SE FAZ FAVOR", "FAZ FAVOR", "POR GENTILEZA", "PFV",  # Portuguese
    "BITTE", "BITTE SEHR", "DANKE", "DANKE SCHÖN", "DANKE SEHR", "VIELEN DANK", "BESTEN DANK", "HERZLICHEN DANK", "DANKE IM VORAUS",  # German
    "GRAZIE", "GRAZIE MILLE", "MILLE GRAZIE", "MOLTE GRAZIE", "PER FAVORE", "PER PIACERE", "PER CORTESIA", "CORTESEMENTE",  # Italian
    "ALSTUBLIEFT", "ALSJEBLIEFT", "AUB", "AJB", "DANK U", "DANK U WEL", "DANK JE", "DANK JE WEL", "BEDANKT", "HARTELIJK DANK", "BIJ VOORBAAT DANK",  # Dutch
    "TACK", "TACK SÅ MYCKET", "SNÄLLA", "VAR SNÄLL", "VAR VÄNLIG", "VÄNLIGEN", "TAK", "MANGE TAK", "TUSIND TAK", "VENLIGST", "VÆR VENLIG", "VÆR SØD",
    "TAKK", "TAKK SKAL DU HA", "MANGE TAKK", "TUSEN TAKK", "VENNLIGST", "VÆR SÅ SNILL", "ER DU SNILL", "VÆR SNILL", "KIITOS", "KIITTI", "OLE HYVÄ",
    "OLKAA HYVÄ", "PALUN", "AITÄH", "LŪDZU", "PALDIES", "PRAŠAU", "AČIŪ",  # the North and the Baltic
    "PROSZĘ", "BARDZO PROSZĘ", "PROSZĘ BARDZO", "DZIĘKUJĘ", "DZIĘKUJĘ BARDZO", "DZIĘKI", "Z GÓRY DZIĘKUJĘ",  # Polish
    "PROSÍM", "PROSÍM VÁS", "DĚKUJI", "DĚKUJU", "DĚKUJI VÁM", "DÍKY", "ĎAKUJEM", "VĎAKA", "KÉREM", "LEGYEN SZÍVES", "LÉGY SZÍVES", "KÖSZÖNÖM", "KÖSZI",
    "VĂ ROG", "TE ROG", "MULȚUMESC", "MERSI", "MOLIM", "MOLIM VAS", "HVALA", "HVALA LEPA", "HVALA LIJEPA", "МОЛИМ", "ХВАЛА", "МОЛЯ", "БЛАГОДАРЯ",
    "ПОЖАЛУЙСТА", "ПОЖАЛУЙСТО", "ПЖ", "ПЛИЗ", "ПРОШУ", "ПРОШУ ВАС", "СПАСИБО", "БОЛЬШОЕ СПАСИБО", "СПАСИБО БОЛЬШОЕ", "БЛАГОДАРЮ", "ЗАРАНЕЕ СПАСИБО",
    "БУДЬ ЛАСКА", "ДЯКУЮ", "ДУЖЕ ДЯКУЮ", "КАЛІ ЛАСКА", "ДЗЯКУЙ", "ΠΑΡΑΚΑΛΩ", "ΕΥΧΑΡΙΣΤΩ", "ΕΥΧΑΡΙΣΤΩ ΠΟΛΥ",
    "LÜTFEN", "TEŞEKKÜRLER", "TEŞEKKÜR EDERİM", "SAĞOL", "SAĞOLUN", "ZƏHMƏT OLMASA",  # Turkish, Azerbaijani
    "من فضلك", "من فضلكم", "لو سمحت", "لو سمحتم", "رجاء", "الرجاء", "يرجى", "ارجوك", "ارجوكم", "شكرا", "شكرا لك", "شكرا لكم", "شكرا جزيلا",  # Arabic
    "لطفا", "ممنون", "متشکرم", "مرسی", "براہ کرم", "شکریہ", "בבקשה", "אנא", "נא", "תודה", "תודה רבה",  # Persian, Urdu, Hebrew
    "कृपया", "प्लीज़", "धन्यवाद", "शुक्रिया", "দয়া করে", "ধন্যবাদ", "กรุณา", "โปรด", "ครับ", "ค่ะ", "คะ", "ขอบคุณ", "ขอบคุณครับ", "ขอบคุณค่ะ",
    "XIN", "XIN VUI LÒNG", "VUI LÒNG", "LÀM ƠN", "CẢM ƠN", "CÁM ƠN", "XIN CẢM ƠN", "TOLONG", "MOHON", "SILA", "TERIMA KASIH", "MAKASIH",
    "SALAMAT", "PAKIUSAP", "TAFADHALI", "ASANTE",
    "请", "請", "请您", "請您", "谢谢", "謝謝", "谢谢您", "謝謝您", "谢谢你", "謝謝你", "多谢", "多謝", "唔該", "麻烦", "麻煩", "麻烦您", "拜托", "拜託",
    "お願いします", "をお願いします", "でお願いします", "お願い致します", "お願いいたします", "をお願いいたします", "ください", "下さい", "してください", "して下さい",
    "ありがとう", "ありがとうございます", "すみません", "すみませんが", "부탁해요", "부탁합니다", "부탁드려요", "부탁드립니다", "해주세요", "해주십시오", "제발", "감사합니다",
    "감사해요", "고맙습니다",
)  # fmt: skip
"""What makes a wish polite and changes nothing in it."""
NEGATIONS = (
    "NO",
    "NOPE",
    "NAH",
    "NEIN",
    "NON",
    "NÃO",
    "NEE",
    "NEJ",
    "NEI",
    "NIE",
    "NE",
    "НЕТ",
    "НІ",
    "HAYIR",
    "לא",
    "لا",
)
"""An answer, where a mark follows it: "No. STOP"; without one it may turn the word around, as in "no parar"."""
GREETINGS = (
    "HI", "HI THERE", "HELLO", "HELLO THERE", "HEY", "GOOD MORNING", "GOOD AFTERNOON", "GOOD EVENING", "GOOD DAY",
    "BONJOUR", "BONSOIR", "HOLA", "BUENOS DÍAS", "BUENAS TARDES", "OLÁ", "OI", "BOM DIA", "BOA TARDE", "HALLO", "GUTEN TAG", "GUTEN MORGEN",
    "CIAO", "BUONGIORNO", "BUONASERA", "HEJ", "HEI", "HEISANN", "CZEŚĆ", "DZIEŃ DOBRY", "DOBRÝ DEN", "ПРИВЕТ", "ЗДРАВСТВУЙТЕ", "ДОБРЫЙ ДЕНЬ",
    "MERHABA", "你好", "您好", "안녕하세요", "مرحبا", "שלום",
)  # fmt: skip
SALUTATIONS = (
    "DEAR", "CHER", "CHÈRE", "ESTIMADO", "ESTIMADA", "QUERIDO", "QUERIDA", "LIEBE", "LIEBER", "CARO", "CARA", "BESTE",
)  # fmt: skip
"""Greetings that a name follows."""
BESIDE = (
    "NOW", "RIGHT NOW", "IMMEDIATELY", "AT ONCE", "RIGHT AWAY", "ASAP", "JUST", "OK", "OKAY", "AND", "BUT",
    *GREETINGS,
    "NO THANKS", "NO THANK YOU", "NO THX", "NOT INTERESTED", "IM NOT INTERESTED", "I AM NOT INTERESTED", "WRONG NUMBER", "WRONG PERSON",
    "YOU HAVE THE WRONG NUMBER", "THIS IS THE WRONG NUMBER",
    "MAINTENANT", "IMMÉDIATEMENT", "TOUT DE SUITE", "ET", "NON MERCI", "PAS INTÉRESSÉ",
    "AHORA", "YA", "INMEDIATAMENTE", "DE INMEDIATO", "Y", "NO GRACIAS", "NO ME INTERESA",
    "AGORA", "IMEDIATAMENTE", "NÃO OBRIGADO", "NÃO OBRIGADA",
    "JETZT", "SOFORT", "UND", "KEIN INTERESSE", "NEIN DANKE", "FALSCHE NUMMER",
    "SUBITO", "ADESSO", "IMMEDIATAMENTE", "NO GRAZIE", "NON MI INTERESSA",
    "NU", "ONMIDDELLIJK", "NEE BEDANKT", "GEEN INTERESSE", "NÅ", "OMEDELBART", "NEJ TACK", "NEJ TAK", "NEI TAKK",
    "TERAZ", "NATYCHMIAST", "NIE DZIĘKUJĘ", "OKAMŽITĚ", "СЕЙЧАС", "НЕМЕДЛЕННО",
    "НЕТ СПАСИБО", "НЕ ИНТЕРЕСНО", "ŞİMDİ", "HEMEN", "马上", "馬上", "立即", "立刻", "今すぐ", "直ちに", "지금", "즉시", "당장",
    "الان", "فورا", "עכשיו", "מיד", "לא תודה", "לא מעוניין", "לא מעוניינת",
)  # fmt: skip
"""What is said beside a stop word and changes nothing in it: when, a greeting, why."""
WISHES = (
    "UNSUBSCRIBE", "UNSUBSCRIBE ME", "OPT OUT", "OPT ME OUT", "REMOVE ME", "TAKE ME OFF", "DELETE ME", "REMOVE MY NUMBER", "DELETE MY NUMBER", "LOSE MY NUMBER",
    "REMOVE MY PHONE NUMBER", "DELETE MY PHONE NUMBER", "LEAVE ME ALONE", "STOP TEXTING", "STOP TEXTING ME", "STOP TXTING ME", "STOP MESSAGING ME",
    "STOP CONTACTING ME", "STOP SENDING ME", "QUIT TEXTING ME", "STOP TEXTS", "STOP MESSAGES",
)  # fmt: skip
"""Stop words that say what of, so that they may stand in a question."""
REQUESTS = (
    "CAN YOU", "COULD YOU", "WILL YOU", "WOULD YOU", "CAN YOU GUYS", "COULD YOU GUYS", "CAN U", "COULD U", "CAN I", "HOW DO I", "HOW CAN I", "HOW TO",
    "WOULD YOU MIND TO", "I ASKED YOU TO", "I NEED YOU TO", "I WANT YOU TO",
)  # fmt: skip
"""How one begins that wishes it: "can you remove me from your list"."""
_TEXTS = ("MESSAGES", "TEXTS", "TEXT MESSAGES", "MSGS", "SMS", "SPAM", "EMAILS")
_LISTS = ("LIST", "LISTS", "MAILING LIST", "CONTACT LIST", "TEXT LIST", "TEXTING LIST", "DATABASE")
AFTER = (
    "ALL", "ALREADY", "EVERYTHING", "AGAIN", "EVER AGAIN", "ANYMORE", "ANY MORE", "FOREVER", "THIS NUMBER", "FROM ALL", "FROM THIS", "FROM THIS NUMBER", "FROM YOU",
    *(f"{verb}{me}" for verb in ("TEXTING", "MESSAGING", "MSGING", "CONTACTING", "CALLING", "SPAMMING", "EMAILING", "BOTHERING", "HARASSING", "SENDING") for me in ("", " ME")),
    *(f"{which} {texts}".strip() for which in ("", "ALL", "THE", "THESE", "YOUR", "ANY MORE", "FROM", "FROM ALL", "FROM THESE") for texts in _TEXTS),
    *(f"{off}{whose} {many}".strip() for off in ("FROM", "OFF", "OF", "") for whose in (" YOUR", " THIS", " THE", " ALL", "") for many in _LISTS),
    "TOUS LES MESSAGES", "TODOS LOS MENSAJES", "MENSAJES", "TODAS AS MENSAGENS", "MENSAGENS", "TUTTI I MESSAGGI", "ALLE NACHRICHTEN", "NACHRICHTEN",
    "ALLE BERICHTEN", "BERICHTEN", "СООБЩЕНИЯ", "ВСЕ СООБЩЕНИЯ", "الرسائل", "الاشتراك", "短信", "訊息", "信息", "全部", "所有", "発信", "配信", "문자",
)  # fmt: skip
"""What a stop word may be followed by: what is to stop, where from, for how long."""
