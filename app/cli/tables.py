"""Tables that lose nothing on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table

_AIRY = 6


def table(*headings: str, title: str | None = None, right: Collection[str] = (), whole: Collection[str] = ()) -> Table:
    """Return an empty table whose headings break between words only, and whose contents anywhere, but are never cut.

    Args:
        headings: of the columns.
        title: of the table.
        right: headings of the columns that are aligned to the right.
        whole: headings of the columns that do not break at all, which must leave the others room.
    """
    # So many columns have no room for air between them.
    made = Table(title=title, padding=(0, 1) if len(headings) <= _AIRY else 0)
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in right else "left",
            overflow="fold",
            no_wrap=heading in whole,
            min_width=max(map(len, heading.split()), default=None),
        )
    return made
