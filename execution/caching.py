"""How long the answer of an operation may be kept: as the field that allows least says, and not by default."""

from __future__ import annotations

from collections.abc import Iterable

from execution.directives import CacheHint
from execution.fields import ColumnField, DeclaredField


def kept(fields: Iterable[DeclaredField]) -> CacheHint | None:
    """Return how long an answer with these fields may be kept, or None where it may not be.

    A field without a hint forbids it, and so does one that not everybody may see. Plain values that are no objects
    come with the object that they belong to.
    """
    hints = [_hint(field) for field in fields]
    given = [hint for hint in hints if hint is not None]
    ages = [hint.max_age for hint in given if hint.max_age is not None]
    if len(given) < len(hints) or not ages or min(ages) == 0:
        return None
    tags = sorted({tag for hint in given for tag in hint.tags})
    return CacheHint(min(ages), personal=any(hint.personal for hint in given), tags=tuple(tags))


_PLAIN = CacheHint(None)


def _hint(field: DeclaredField) -> CacheHint | None:
    if field.policy.check is not None or field.policy.check_parents is not None:
        return None
    if field.cached is None and isinstance(field, ColumnField) and not field.is_object:
        return _PLAIN
    return field.cached
