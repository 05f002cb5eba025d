"""A compiled operation as people read it: what is called on which level, and what is only copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphql import OperationType, print_ast

from execution.fields import BatchField
from execution.plan import TYPENAME, Call, Segment, Selection


@dataclass(frozen=True, slots=True)
class CallDescription:
    """One call of a batch resolver or a command.

    Attributes:
        coordinates: the fields that it answers, such as `Course.topics`.
        paths: where they stand in the response.
        arguments: as the document writes them.
        policy: name of the rule that is asked before it.
        columns: coordinates of the plain values that are copied from what it returns.
        written: coordinates of what the database writes as JSON, in the same statement.
        sql: how, as far as it does; None otherwise.
    """

    coordinates: tuple[str, ...]
    paths: tuple[str, ...]
    arguments: str
    policy: str
    columns: tuple[str, ...]
    written: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class OperationDescription:
    """The plan of an operation.

    Attributes:
        name: of the operation, or None.
        kind: `query` or `mutation`.
        segments: what runs one after another, each a sequence of levels; a query has one, a mutation one a field.
        policies: names of all rules that are asked.
    """

    name: str | None
    kind: str
    segments: tuple[tuple[tuple[CallDescription, ...], ...], ...]
    policies: tuple[str, ...]

    @property
    def calls(self) -> int:
        """How many calls there are at most, whatever the number of objects."""
        return sum(len(level) for levels in self.segments for level in levels)

    def __str__(self) -> str:
        """Return the plan as lines of text."""
        lines = [f"{self.kind} {self.name or '(anonymous)'}: {self.calls} calls; policies: {', '.join(self.policies)}"]
        for levels in self.segments:
            for number, level in enumerate(levels, start=1):
                lines.append(f"  level {number}")
                for call in level:
                    lines.append(f"    {', '.join(call.coordinates)}{call.arguments} at {', '.join(call.paths)}")
                    lines.append(f"      policy: {call.policy}; columns: {', '.join(call.columns) or 'none'}")
                    if call.sql:
                        lines.append(f"      written by the database: {', '.join(call.written)}")
                        lines += [f"        {line.strip()}" for line in call.sql.splitlines()]
        return "\n".join(lines)


def describe(name: str | None, kind: OperationType, segments: Sequence[Segment]) -> OperationDescription:
    """Return the description of planned segments."""
    met = {field.declared.policy.name for each in segments for field in each.all_fields() if field.declared}
    return OperationDescription(
        name,
        kind.value,
        tuple(tuple(tuple(_call(call) for call in level) for level in each.levels) for each in segments),
        tuple(sorted(met)),
    )


def _call(call: Call) -> CallDescription:
    given = call.fields[0].nodes[0].arguments or ()
    selections = [selection for field in call.fields for selection in field.selections.values()]
    rows = call.declared.rows if isinstance(call.declared, BatchField) else None
    return CallDescription(
        coordinates=tuple(dict.fromkeys(field.coordinate for field in call.fields)),
        paths=tuple(dict.fromkeys(".".join(field.path) for field in call.fields)),
        arguments=f"({', '.join(print_ast(each) for each in given)})" if given else "",
        policy=call.declared.policy.name,
        columns=tuple(dict.fromkeys(each for selection in selections for each in _columns(selection))),
        written=tuple(dict.fromkeys(each for selection in selections for each in _written(selection))),
        sql=None if rows is None or call.written is None else rows.sql(call.written.selection),
    )


def _written(selection: Selection, *, all_of_it: bool = False) -> Iterator[str]:
    """Yield the coordinates of what is written of a call's objects."""
    all_of_it = all_of_it or selection.written
    for field in selection.fields:
        here = all_of_it or field.written is not None
        if here and field.name != TYPENAME:
            yield field.coordinate
        if here or not field.deferred:
            for below in field.selections.values():
                yield from _written(below, all_of_it=here)


def _columns(selection: Selection) -> list[str]:
    return [field.coordinate for field in selection.columns() if field.name != TYPENAME]
