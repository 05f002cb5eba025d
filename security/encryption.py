"""Personal data at rest: envelopes of AES-256-GCM, and blind indexes to find what is encrypted.

An envelope is `version (1 byte) | length of key id (1) | key id | nonce (12) | ciphertext and tag`. Everything
before the ciphertext, and the place that the value belongs to, is authenticated: a value that was changed, or
moved to another row or column, does not decrypt. A key must not encrypt more than 2**32 values, because nonces
are random (NIST SP 800-38D, section 8.3); rotate before that.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import DecryptionError
from security.keys import KeyRing

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = 2
_SOURCE_PURPOSE = "erasures.source"


class Cipher:
    """Encrypts under the active key of a ring, and decrypts under any of its keys.

    Args:
        ring: the keys.
        random_bytes: where nonces come from; a nonce must never repeat under one key.
    """

    def __init__(self, ring: KeyRing, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random_bytes = random_bytes
        self._ciphers = {key_id: AESGCM(key) for key_id, key in ring.encryption.keys.items()}
        self._index_key = ring.index
        self.active_key_id = ring.encryption.active

    def encrypt(self, text: str, place: str) -> bytes:
        """Return the envelope of `text`.

        Args:
            text: what to protect.
            place: where it will be stored, such as `accounts.email:42`; the same is needed to decrypt.
        """
        key_id = self.active_key_id.encode()
        header = bytes((_VERSION, len(key_id))) + key_id
        nonce = self._random_bytes(_NONCE_BYTES)
        return header + nonce + self._ciphers[self.active_key_id].encrypt(nonce, text.encode(), header + place.encode())

    def decrypt(self, envelope: bytes, place: str) -> str:
        """Return what `encrypt` was given.

        Raises:
            DecryptionError: the key is not in the ring, or the envelope or its place is not the one encrypted.
        """
        if len(envelope) < _HEADER_BYTES or envelope[0] != _VERSION:
            raise DecryptionError(f"{place} does not hold an envelope that this version of Waymark can read.")
        end = _HEADER_BYTES + envelope[1]
        header, nonce, sealed = envelope[:end], envelope[end : end + _NONCE_BYTES], envelope[end + _NONCE_BYTES :]
        if len(sealed) < _TAG_BYTES:
            raise DecryptionError(f"{place} holds an envelope that is cut short.")
        key_id = header[_HEADER_BYTES:].decode(errors="replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DecryptionError(f"{place} is encrypted under the key {key_id!r}, which is not in the key ring.")
        try:
            return cipher.decrypt(nonce, sealed, header + place.encode()).decode()
        except InvalidTag as error:
            raise DecryptionError(
                f"{place} does not decrypt under the key {key_id!r}: the value was changed or moved, or the key is not "
                "the one that it was encrypted under."
            ) from error

    def blind_index(self, value: str, purpose: str) -> bytes:
        """Return a keyed hash (HMAC-SHA256, 32 bytes) that equal values share, and that only we can compute.

        Args:
            value: already in the one form that equal values have.
            purpose: what the hash is for; hashes of different purposes cannot be compared.
        """
        return hmac.new(self._index_key, f"{purpose}\0{value}".encode(), hashlib.sha256).digest()

    def source_index(self, source: str, source_id: str) -> bytes:
        """Return the blind index by which an imported learner is known again who was erased."""
        return self.blind_index(f"{source}\0{source_id}", _SOURCE_PURPOSE)
