"""Letters without what is put above or below them."""

from __future__ import annotations

import unicodedata


def without_accents(text: str) -> str:
    """``Désabonné`` → ``Desabonne``; other writings of a letter (``ﬁ``, full width) become it, too."""
    if text.isascii():
        return text
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
