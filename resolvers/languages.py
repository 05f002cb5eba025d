"""Languages that a caller asks for: which texts a tag may be answered with."""

from __future__ import annotations

_MOST_SUBTAGS = 8
"""Registered tags have half as many; what follows narrows a language further than anybody's texts do."""


def wider_tags(tag: str | None) -> tuple[str, ...]:
    """Return the tags to look a text up by, best first, such as `("pt-br", "pt")` for `pt-BR`; none for no tag.

    The lookup of RFC 4647, section 3.4: subtags are taken off the end of the tag. Anything is a tag here; what is none
    finds nothing. However long it is, the work is bounded by its length and not by its square.
    """
    subtags = (tag or "").lower().replace("_", "-").split("-", _MOST_SUBTAGS)[:_MOST_SUBTAGS]
    return tuple("-".join(subtags[:count]) for count in range(len(subtags), 0, -1) if subtags[0])
