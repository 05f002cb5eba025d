"""Envelopes and blind indexes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from core.errors import DecryptionError
from security.encryption import Cipher
from security.keys import new_key_ring, rotated

RING = new_key_ring()
CIPHER = Cipher(RING)
PLACE = "accounts.email_ciphertext:42"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=100)


@given(TEXTS, TEXTS)
def test_what_is_encrypted_decrypts_at_its_place(text: str, place: str) -> None:
    """Any text at any place comes back unchanged."""
    assert text == CIPHER.decrypt(CIPHER.encrypt(text, place), place)


@given(TEXTS, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(text: str, where: int, change: int) -> None:
    """Whichever byte is changed, the envelope does not decrypt."""
    envelope = bytearray(CIPHER.encrypt(text, PLACE))
    envelope[where % len(envelope)] ^= change
    with pytest.raises(DecryptionError, match=PLACE):
        CIPHER.decrypt(bytes(envelope), PLACE)


@given(TEXTS, st.integers(min_value=0))
def test_envelope_cut_short_is_noticed(text: str, length: int) -> None:
    """No part of an envelope decrypts."""
    envelope = CIPHER.encrypt(text, PLACE)
    with pytest.raises(DecryptionError):
        CIPHER.decrypt(envelope[: length % len(envelope)], PLACE)


def test_value_moved_to_another_row_does_not_decrypt() -> None:
    """An envelope copied from one account to another is refused."""
    with pytest.raises(DecryptionError, match="moved"):
        CIPHER.decrypt(CIPHER.encrypt("ana@example.com", PLACE), "accounts.email_ciphertext:43")


def test_same_text_never_encrypts_alike() -> None:
    """Equal values cannot be told from their envelopes."""
    assert CIPHER.encrypt("ana", PLACE) != CIPHER.encrypt("ana", PLACE)


@given(TEXTS)
def test_old_values_decrypt_after_rotation(text: str) -> None:
    """New values are under the new key, and the old key still reads the old ones."""
    newer = Cipher(rotated(RING))
    assert text == newer.decrypt(CIPHER.encrypt(text, PLACE), PLACE)
    assert text == newer.decrypt(newer.encrypt(text, PLACE), PLACE)
    with pytest.raises(DecryptionError, match=newer.active_key_id):
        CIPHER.decrypt(newer.encrypt(text, PLACE), PLACE)


def test_another_installation_cannot_decrypt() -> None:
    """A key that is not in the ring is named, so that the operator knows which one to restore."""
    with pytest.raises(DecryptionError, match=CIPHER.active_key_id):
        Cipher(new_key_ring()).decrypt(CIPHER.encrypt("ana", PLACE), PLACE)


@given(TEXTS, TEXTS)
def test_blind_index_is_equal_for_equal_values_only(first: str, second: str) -> None:
    """An index finds its value, depends on its purpose, survives a rotation and is another elsewhere."""
    assert (first == second) == (CIPHER.blind_index(first, "email") == CIPHER.blind_index(second, "email"))
    assert CIPHER.blind_index(first, "email") != CIPHER.blind_index(first, "address")
    assert CIPHER.blind_index(first, "email") == Cipher(rotated(RING)).blind_index(first, "email")
    assert CIPHER.blind_index(first, "email") != Cipher(new_key_ring()).blind_index(first, "email")


def test_keys_are_not_shown() -> None:
    """A ring that ends up in a log or a traceback gives no key away."""
    shown = repr(RING)
    assert all(repr(key) not in shown for key in (*RING.encryption.keys.values(), RING.index))
