"""Texts that people write: trimmed, bounded, and fit to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from core.errors import CommandError, UserErrorCode

Path = tuple[str, ...]

LONGEST_URL = 2_000


def required(text: str | None, most: int, path: Path) -> str:
    """Return a text without surrounding white space.

    Raises:
        CommandError: REQUIRED when nothing is left, TOO_LONG beyond `most` characters, INVALID for a NUL character,
            which PostgreSQL does not store.
    """
    found = optional(text, most, path)
    if found is None:
        raise CommandError(UserErrorCode.REQUIRED, "This must not be empty.", path)
    return found


def optional(text: str | None, most: int, path: Path) -> str | None:
    """Return a text as `required` does, or None when nothing is left; errors likewise."""
    trimmed = (text or "").strip()
    if "\0" in trimmed:
        raise CommandError(UserErrorCode.INVALID, "A NUL character cannot be stored.", path)
    if len(trimmed) > most:
        raise CommandError(
            UserErrorCode.TOO_LONG, f"This has {len(trimmed)} characters; at most {most} are allowed.", path
        )
    return trimmed or None


def within(number: float | None, least: float, most: float, path: Path) -> None:
    """Refuse a number outside of what is allowed; None is allowed.

    Raises:
        CommandError: INVALID.
    """
    if number is not None and not least <= number <= most:
        raise CommandError(UserErrorCode.INVALID, f"This must be from {least} to {most}.", path)


def at_most(values: Sequence[object], most: int, path: Path) -> None:
    """Refuse a list that is too long.

    Raises:
        CommandError: TOO_MANY.
    """
    if len(values) > most:
        raise CommandError(UserErrorCode.TOO_MANY, f"This may hold at most {most} values.", path)


def web_address(text: str | None, path: Path) -> str | None:
    """Return the address of a file on the web, or None.

    Raises:
        CommandError: INVALID for what is no http or https address with a host; and as for `optional`.
    """
    url = optional(text, LONGEST_URL, path)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username
        _ = parts.port
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        raise CommandError(UserErrorCode.INVALID, "This is not an http or https address.", path)
    return url
