"""Plots as inline SVG: bars, intervals and lines, small enough to stand in one page without a script.

A plotting library would bring megabytes of scripts or dependencies for three kinds of figures. Every plot has a title
for those who do not see it, and stands beside a table of its numbers. Colors are the page's own (`currentColor` and
CSS variables), so that it is readable on light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _LABELS, _VALUES, _MARGIN = 640, 22, 220, 70, 8
_LINE_HEIGHT, _LEFT, _BOTTOM, _TICKS = 220, 56, 34, 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: what it stands for.
        value: its length, 0 or more.
        low: lower end of an interval, if it has one.
        high: its upper end.
        told: the value as text.
    """

    label: str
    value: float
    told: str
    low: float | None = None
    high: float | None = None


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return horizontal bars, with whiskers where there are intervals; nothing for no rows."""
    if not rows:
        return ""
    longest = max(max(row.value, row.high or 0.0) for row in rows) or 1.0
    span = _WIDTH - _LABELS - _VALUES - 2 * _MARGIN

    def x(value: float) -> float:
        return _LABELS + span * max(0.0, value) / longest

    parts = []
    for place, row in enumerate(rows):
        top = _MARGIN + place * _ROW
        middle = top + _ROW / 2
        parts.append(_text(_LABELS - 8, middle, row.label, "end"))
        parts.append(
            f'<rect class="bar" x="{_LABELS}" y="{top + 4}" width="{x(row.value) - _LABELS:.1f}" height="{_ROW - 8}"/>'
        )
        if row.low is not None and row.high is not None:
            parts.append(_whisker(x(row.low), x(row.high), middle))
        parts.append(_text(_WIDTH - _MARGIN, middle, row.told, "end"))
    return _svg(title, _WIDTH, 2 * _MARGIN + _ROW * len(rows), parts)


def line(title: str, points: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """Return a line through points in the order of x, from 0 upwards; nothing for fewer than two points.

    Args:
        title: what it shows.
        points: x and y, both 0 or more.
        across: name of the x axis.
        up: name of the y axis.
    """
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends.
        return ""
    right, top = max(x for x, _ in points) or 1.0, _round_up(max(y for _, y in points))
    width, height = _WIDTH - _LEFT - _MARGIN, _LINE_HEIGHT - _BOTTOM - 2 * _MARGIN

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + width * x / right, 2 * _MARGIN + height * (1 - y / top)

    parts = []
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        _, y = place(0, value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _MARGIN}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 6, y, f"{value:.3g}", "end"))
    path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
    parts.append(f'<polyline class="line" points="{path}"/>')
    for x, y in points:
        at = place(x, y)
        parts.append(f'<circle class="dot" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3"/>')
    parts.append(_text(_LEFT, _LINE_HEIGHT - 18, "0", "start"))
    parts.append(_text(_WIDTH - _MARGIN, _LINE_HEIGHT - 18, f"{right:g}", "end"))
    parts.append(_text(_LEFT + width / 2, _LINE_HEIGHT - 18, f"{across} (up: {up})", "middle"))
    return _svg(title, _WIDTH, _LINE_HEIGHT, parts)


def _round_up(value: float) -> float:
    """Return the least of 1, 2, 2.5 and 5 times a power of ten that is no less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= value)


def _whisker(low: float, high: float, y: float) -> str:
    ends = "".join(f'<line class="whisker" x1="{x:.1f}" y1="{y - 4}" x2="{x:.1f}" y2="{y + 4}"/>' for x in (low, high))
    return f'<line class="whisker" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>{ends}'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="middle">{escape(text)}</text>'


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    named = escape(title, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{named}">'
        f"<title>{named}</title>{''.join(parts)}</svg>"
    )
