"""How sources name languages, and the BCP 47 tag of each name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

# BCP 47's own tag for a language that is not determined (RFC 5646, section 4.1).
UNKNOWN_LANGUAGE = "und"

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "arabic": "ar",
        "bengali": "bn",
        "chinese": "zh",
        "czech": "cs",
        "danish": "da",
        "dutch": "nl",
        "english": "en",
        "finnish": "fi",
        "french": "fr",
        "german": "de",
        "greek": "el",
        "hebrew": "he",
        "hindi": "hi",
        "hungarian": "hu",
        "indonesian": "id",
        "italian": "it",
        "japanese": "ja",
        "korean": "ko",
        "norwegian": "no",
        "persian": "fa",
        "polish": "pl",
        "portuguese": "pt",
        "romanian": "ro",
        "russian": "ru",
        "spanish": "es",
        "swedish": "sv",
        "tamil": "ta",
        "telugu": "te",
        "thai": "th",
        "turkish": "tr",
        "ukrainian": "uk",
        "urdu": "ur",
        "vietnamese": "vi",
        # What languages call themselves.
        "deutsch": "de",
        "español": "es",
        "français": "fr",
        "italiano": "it",
        "português": "pt",
        "türkçe": "tr",
        "русский": "ru",
        "اللغة العربية": "ar",
        "עברית": "he",
        "हिन्दी": "hi",
        "中文": "zh",
        "日本語": "ja",
        "한국어": "ko",
    }
)

# Language, script and region: the part of BCP 47 that sources use.
_TAG = re.compile(r"[a-z]{2}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?")


def language_of(text: str) -> str | None:
    """Return the BCP 47 tag, lower case, that a name or a tag means, or None when it is neither."""
    word = text.strip().lower()
    if word in LANGUAGES:
        return LANGUAGES[word]
    tag = word.replace("_", "-")
    if _TAG.fullmatch(tag) and tag.partition("-")[0] in LANGUAGES.values():
        return tag
    return None
