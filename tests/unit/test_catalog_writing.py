"""In which language a text surely is not written: true or silent."""

from __future__ import annotations

import pytest

from catalog.writing import foreign_language

ENGLISH = (
    "In this course you will learn how arguments are built, how to tell a valid one from a fallacy, and how to write "
    "proofs that convince others. Each week has a short lecture, worked examples and exercises with feedback."
)
SPANISH = (
    "En este curso aprenderás cómo se construyen los argumentos, cómo distinguir uno válido de una falacia y cómo "
    "escribir demostraciones que convenzan a los demás. Cada semana hay una clase breve, ejemplos y ejercicios."
)
GERMAN = (
    "In diesem Kurs lernen Sie, wie Argumente aufgebaut sind, wie man ein gültiges von einem Trugschluss unterscheidet "
    "und wie man Beweise schreibt, die andere überzeugen. Jede Woche gibt es eine kurze Vorlesung und Übungen dazu."
)
# ruff: noqa: RUF001 - other alphabets are what this is about.
RUSSIAN = "В этом курсе вы узнаете, как строятся аргументы и как отличить верный довод от ошибочного."
CHINESE = "本课程介绍如何构建论证，如何辨别谬误，以及如何写出令人信服的证明。"


@pytest.mark.parametrize(
    ("title", "prose", "declared", "found"),
    [
        ("Logic", ENGLISH, "es", "'en'"),
        ("Lógica", SPANISH, "en-us", "'es'"),
        ("Logik", GERMAN, "fr", "'de'"),
        ("Логика для начинающих", "", "en", "the Cyrillic alphabet"),
        ("Логика", RUSSIAN, "en", "the Cyrillic alphabet"),
        ("逻辑", CHINESE, "en", "the Chinese alphabet"),
        ("Logic", RUSSIAN, "ar", "the Cyrillic alphabet"),
        ("Logic", ENGLISH, "zh", "'en'"),
    ],
)
def test_wrong_language_is_found(title: str, prose: str, declared: str, found: str) -> None:
    """Another alphabet decides alone, and words decide in prose."""
    assert found == foreign_language(title, prose, declared)


@pytest.mark.parametrize(
    ("title", "prose", "declared"),
    [
        ("Logic", ENGLISH, "en"),
        ("Logic", ENGLISH, "en-gb"),
        ("Lógica", SPANISH, "es"),
        ("逻辑", CHINESE, "zh-hans"),
        ("Lógica | Logic", f"{SPANISH} {ENGLISH}", "en"),
        ("Lógica | Logic", f"{SPANISH} {ENGLISH}", "de"),
        ("Logic 逻辑", f"{ENGLISH} {CHINESE}", "en"),
        ("Photoshop CS6", "", "ru"),
        ("Photoshop CS6", "Learn Photoshop.", "es"),
        ("Lógica", SPANISH, "pt"),
        ("Logic", f"{ENGLISH[:150]} {CHINESE}", "en"),
        ("Logic", f"{ENGLISH} {CHINESE}", "zh"),
        ("Logic", ENGLISH, "und"),
        ("Logic", ENGLISH, "tlh"),
        ("Alpha α, beta β", "", "en"),
        ("123 456 789", "1 2 3 4 " * 100, "en"),
        ("", "", "en"),
        ("", "http://example.org/a/b/c?d=e " * 20, "en"),
    ],
)
def test_what_may_be_right_is_left_alone(title: str, prose: str, declared: str) -> None:
    """Two languages in one text, near relations, technical titles and short texts accuse nobody."""
    assert foreign_language(title, prose, declared) is None
