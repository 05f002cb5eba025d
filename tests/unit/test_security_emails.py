"""E-mail addresses in their normal forms."""

from __future__ import annotations

import pytest

from core.errors import CommandError, UserErrorCode
from security.emails import parse_email
from security.encryption import Cipher
from security.keys import new_key_ring


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("ana@example.com", "ana@example.com"),
        (" Ana@EXAMPLE.com ", "Ana@example.com"),
        ("jose\u0301@exa\u0308mple.de", "josé@exämple.de"),
        ("ana+courses@example.com", "ana+courses@example.com"),
    ],
)
def test_address_is_stored_as_typed_but_for_its_domain(typed: str, text: str) -> None:
    """NFC, and a domain in lower case; the part before the @ keeps its case."""
    assert text == parse_email(typed).text


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("ANA@X.ORG", True),
        ("ana@x.org ", True),
        ("eva@x.org", False),
        ("an.a@x.org", False),
        ("ana+a@x.org", False),
    ],
)
def test_addresses_that_differ_by_case_are_the_same(typed: str, same: bool) -> None:  # noqa: FBT001 - pytest passes it.
    """They share their blind index; others do not."""
    cipher = Cipher(new_key_ring())
    assert same == (parse_email("Ana@x.org").index(cipher) == parse_email(typed).index(cipher))


def test_international_domain_is_the_same_in_both_spellings() -> None:
    """And two domains that only folding would make one are not."""
    assert parse_email("ana@exämple.de") == parse_email("ana@xn--exmple-cua.de")
    assert parse_email("ana@straße.de").key != parse_email("ana@strasse.de").key


@pytest.mark.parametrize("typed", ["", "ana", "ana@", "@example.com", "ana@localhost", "a b@example.com", "a\0@x.org"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    """The refusal names the field and does not repeat what was typed."""
    with pytest.raises(CommandError) as refused:
        parse_email(typed)
    assert (UserErrorCode.INVALID, ("input", "email")) == (refused.value.code, refused.value.field)
    assert not typed or typed not in refused.value.message


def test_address_of_absurd_length_is_refused() -> None:
    """Before anything is made of it."""
    with pytest.raises(CommandError) as refused:
        parse_email("a" * 10_000 + "@example.com")
    assert UserErrorCode.TOO_LONG is refused.value.code
