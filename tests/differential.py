"""Comparing the compiled executor with graphql-core: the same data, the same errors.

Errors are compared by message, path and locations. Two things are left to an executor, and only these two:

- *Order between calls.* Errors that were found while the values of one call were completed come in the same order. Which
  of two calls of a level comes first depends in graphql-core on its event loop.
- *What is below a null.* Where an error made null of an object above it, other errors below that object may or may not
  have been found before (GraphQL specification, 6.4.4). At least one of them must be the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import GraphQLError, parse

from execution.compile import Answer, compile_operation

Seen = tuple[str, tuple[str | int, ...] | None, tuple[tuple[int, int], ...]]


@dataclass
class Comparison:
    """Compares operations on one schema, and counts them.

    Attributes:
        schema: that both executors run on.
        counts: how many operations were compared, had errors, took the slow way, or needed one of the two liberties.
    """

    schema: strawberry.Schema
    counts: Counter[str] = field(default_factory=Counter)

    async def same(
        self,
        text: str,
        variables: dict[str, Any] | None,
        contexts: tuple[Any, Any],
        operation_name: str | None = None,
        root: Any = None,
    ) -> Answer:
        """Execute with both, each on a context of its own; return the compiled executor's answer."""
        compiled = compile_operation(self.schema, parse(text), operation_name)
        expected = await self.schema.execute(
            text, variable_values=variables, context_value=contexts[0], operation_name=operation_name, root_value=root
        )
        actual = await compiled.execute(contexts[1], variables, root)
        told = f"{text}\n{variables}"
        assert expected.data == actual.data, told
        before, after = seen(expected.errors), seen(actual.errors)
        assert _ordered(expected.data) == _ordered(actual.data), told
        self.counts["compared"] += 1
        self.counts["with errors"] += bool(before)
        self.counts["took the slow way"] += bool(actual.detours)
        if before != after:
            self._equivalent(before, after, expected.data, told, _calls(self.schema, text, operation_name))
        return actual

    def _equivalent(
        self, before: list[Seen], after: list[Seen], data: Any, told: str, call_of: Callable[[Seen], Any]
    ) -> None:
        certain_before, below_before = _split(before, data)
        certain_after, below_after = _split(after, data)
        told = f"{told}\n{_lines(before)}\nexpected, but got\n{_lines(after)}"
        assert sorted(certain_before, key=repr) == sorted(certain_after, key=repr), told
        assert below_before.keys() == below_after.keys(), told
        for place, errors in below_before.items():
            assert set(errors) & set(below_after[place]), told
        assert _grouped(certain_before, call_of) == _grouped(certain_after, call_of), told
        same_below = below_before == below_after
        self.counts["differed in the order of calls" if same_below else "differed below a null"] += 1


def seen(errors: Sequence[GraphQLError] | None) -> list[Seen]:
    """Return what a client sees of errors."""
    return [
        (
            error.message,
            None if error.path is None else tuple(error.path),
            tuple((each.line, each.column) for each in error.locations or ()),
        )
        for error in errors or ()
    ]


def _lines(errors: list[Seen]) -> str:
    return "\n".join(f"  {error}" for error in errors)


def _split(errors: list[Seen], data: Any) -> tuple[list[Seen], dict[tuple[str | int, ...], list[Seen]]]:
    """Return the errors of the nulls at their own places, and the others by the null that is above them."""
    certain: list[Seen] = []
    below: dict[tuple[str | int, ...], list[Seen]] = defaultdict(list)
    for error in errors:
        path = error[1]
        null = None if path is None else _null_above(path, data)
        if path is None or null == path:
            certain.append(error)
        else:
            assert null is not None, f"There is no null for {error}."
            below[null].append(error)
    return certain, below


def _null_above(path: tuple[str | int, ...], data: Any) -> tuple[str | int, ...] | None:
    value = data
    for length, key in enumerate(path):
        if value is None:
            return path[:length]
        value = value[key]
    return path if value is None else None


def _grouped(errors: list[Seen], call_of: Callable[[Seen], Any]) -> dict[Any, list[Seen]]:
    groups: dict[Any, list[Seen]] = defaultdict(list)
    for error in errors:
        groups[call_of(error)].append(error)
    return dict(groups)


def _calls(schema: strawberry.Schema, text: str, operation_name: str | None) -> Callable[[Seen], Any]:
    """Return what tells the call during whose completion an error was found: the path of its field."""
    plan = compile_operation(schema, parse(text), operation_name).describe()
    paths = {path for levels in plan.segments for level in levels for call in level for path in call.paths}

    def call_of(error: Seen) -> str | None:
        keys = [key for key in error[1] or () if isinstance(key, str)]
        return next((path for end in range(len(keys), 0, -1) if (path := ".".join(keys[:end])) in paths), None)

    return call_of


def _ordered(value: Any) -> Any:
    """Return data in which the order of keys counts."""
    if isinstance(value, dict):
        return [(key, _ordered(item)) for key, item in value.items()]
    return [_ordered(item) for item in value] if isinstance(value, list) else value

