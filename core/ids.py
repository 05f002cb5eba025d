"""Identifiers that leave the system: opaque, globally unique, stable.

A global id is the unpadded URL-safe base64 of `Type:key`, as Relay's servers write it. Clients must not
look inside; we must be able to, so that `node(id:)` finds the table without a directory of ids.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from core.errors import InvalidArgumentError

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LONGEST = 128
_LARGEST_NUMBER = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST_NUMBER))


class GlobalId(NamedTuple):
    """A GraphQL type name and the key of one of its objects."""

    type_name: str
    key: str

    @property
    def number(self) -> int:
        """The key as a positive 64-bit integer.

        Raises:
            InvalidArgumentError: the key is not one.
        """
        key = self.key
        if not (key.isascii() and key.isdigit()) or len(key) > _MOST_DIGITS or int(key) > _LARGEST_NUMBER:
            raise InvalidArgumentError("The id is not one that this server issued.")
        return int(key)


def encode_id(type_name: str, key: int | str) -> str:
    """Return the opaque id of the object `key` of the GraphQL type `type_name`."""
    return url_safe_base64(f"{type_name}:{key}".encode())


def url_safe_base64(raw: bytes) -> str:
    """Return the unpadded URL-safe base64 of bytes (RFC 4648, section 5).

    Every object of a response has an id and every place of a list a cursor, so this skips the layers of `base64`.
    """
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).rstrip(b"=").decode("ascii")


def decode_id(value: str) -> GlobalId:
    """Return what an opaque id stands for.

    Raises:
        InvalidArgumentError: this server never issued such an id.
    """
    if len(value) <= _LONGEST and value.isascii():
        try:
            text = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        type_name, separator, key = text.partition(":")
        # Only the one spelling that we issue is accepted, so that ids can be compared as strings.
        if separator and type_name.isidentifier() and key and encode_id(type_name, key) == value:
            return GlobalId(type_name, key)
    raise InvalidArgumentError("The id is not one that this server issued.")


def decode_key(value: str, type_name: str) -> int | None:
    """Return the numeric key of an id of the type `type_name`, or None when it is not one."""
    try:
        decoded = decode_id(value)
        number = decoded.number
    except InvalidArgumentError:
        return None
    return number if decoded.type_name == type_name else None


def time_ordered_uuid(now: datetime, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> UUID:
    """Return a version 7 UUID (RFC 9562, section 5.7): 48 bits of milliseconds, then randomness."""
    milliseconds = int(now.timestamp() * 1000)
    value = int.from_bytes(milliseconds.to_bytes(6, "big") + random_bytes(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
