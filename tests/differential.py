"""Comparing the compiled executor with graphql-core: the same data, the same errors.

Errors are compared by message, path and locations. Two things are left to an executor, and only these:

- *Order between values.* Errors that were found while one value of a resolver was completed come in the same order.
  Which of two values of a level comes first depends in graphql-core on its event loop.
- *How many were asked.* The message of a resolver that returned too few or too many results holds the number of its
  parents; the compiled executor asks more of them at once, and none whose place is null already.
- *What is below a null.* Where an error made null of an object above it, other errors below that object may or may not
  have been found before (GraphQL specification, 6.4.4), and of two fields that may not be null either may be the first.
  There must be an error in both, and where both have one of the same path, it must be the same.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, execute, parse
from strawberry.execution import optimized_is_awaitable

from execution.compile import Answer, CompiledOperation, compile_operation

_PARENTS = re.compile(r"(?<=results in dataloader, )expected: \d+")
Seen = tuple[str, tuple[str | int, ...] | None, tuple[tuple[int, int], ...]]


@dataclass
class Comparison:
    """Compares operations on one schema, and counts them.

    Attributes:
        schema: that both executors run on.
        counts: how many operations were compared, had errors, were partly written by the database, took the slow
            way, or needed one of the liberties.
    """

    schema: strawberry.Schema
    counts: Counter[str] = field(default_factory=Counter)
    _compiled: dict[Any, tuple[DocumentNode, CompiledOperation]] = field(default_factory=dict)

    async def same(
        self,
        text: str,
        variables: dict[str, Any] | None,
        contexts: tuple[Any, Any],
        operation_name: str | None = None,
        root: Any = None,
    ) -> Answer:
        """Execute with both, each on a context of its own; return the compiled executor's answer."""
        if (text, operation_name) not in self._compiled:
            self._compiled.clear()
            document = parse(text)
            self._compiled[text, operation_name] = (document, compile_operation(self.schema, document, operation_name))
        document, compiled = self._compiled[text, operation_name]
        expected = await self._expected(document, variables, contexts[0], operation_name, root)
        actual = await compiled.execute(contexts[1], variables, root)
        told = f"{text}\n{variables}"
        assert not actual.rewritten, f"The database was to write what it could not.\n{told}"
        self.counts["written by the database"] += written_by_the_database(actual.data)
        # As clients get it: what the database has written is text until then.
        actual.data = orjson.loads(orjson.dumps(actual.data))
        assert _ordered(expected.data) == _ordered(actual.data), told
        before, after = seen(expected.errors), seen(actual.errors)
        self.counts["compared"] += 1
        self.counts["with errors"] += bool(before)
        self.counts["took the slow way"] += bool(actual.detours)
        if before != after:
            self._equivalent(before, after, expected.data, told, _calls(compiled))
        return actual

    async def _expected(
        self, document: DocumentNode, variables: dict[str, Any] | None, context: Any, name: str | None, root: Any
    ) -> ExecutionResult:
        """Execute with graphql-core as Strawberry does, without its parsing and validation."""
        is_awaitable: Any = optimized_is_awaitable
        result: Any = execute(
            self.schema._schema,
            document,
            root_value=root,
            context_value=context,
            variable_values=variables,
            operation_name=name,
            is_awaitable=is_awaitable,
            executor_class=self.schema.execution_context_class,
        )
        expected: ExecutionResult = result if isinstance(result, ExecutionResult) else await result
        # Where a null made work needless, graphql-core lets it end in the background: it must not outlive the test.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=10)
        return expected

    def _equivalent(
        self, before: list[Seen], after: list[Seen], data: Any, told: str, value_of: Callable[[Seen], Any]
    ) -> None:
        certain_before, below_before = _split(before, data)
        certain_after, below_after = _split(after, data)
        told = f"{told}\n{_lines(before)}\nexpected, but got\n{_lines(after)}"
        assert sorted(certain_before, key=repr) == sorted(certain_after, key=repr), told
        assert below_before.keys() == below_after.keys(), told
        for place, errors in below_before.items():
            found = {error[1]: error for error in below_after[place]}
            assert all(found.get(error[1], error) == error for error in errors), told
        assert _grouped(certain_before, value_of) == _grouped(certain_after, value_of), told
        same_below = below_before == below_after
        self.counts["differed in order" if same_below else "differed below a null"] += 1


def seen(errors: Sequence[GraphQLError] | None) -> list[Seen]:
    """Return what a client sees of errors."""
    return [
        (
            _PARENTS.sub("expected: n", error.message),
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


def _grouped(errors: list[Seen], value_of: Callable[[Seen], Any]) -> dict[Any, list[Seen]]:
    groups: dict[Any, list[Seen]] = defaultdict(list)
    for error in errors:
        groups[value_of(error)].append(error)
    return dict(groups)


def _calls(compiled: CompiledOperation) -> Callable[[Seen], Any]:
    """Return what tells the value during whose completion an error was found: its path in the response."""
    plan = compiled.describe()
    paths = {path for levels in plan.segments for level in levels for call in level for path in call.paths}

    def value_of(error: Seen) -> tuple[str | int, ...]:
        path = error[1] or ()
        ends = (end for end in range(len(path), 0, -1) if isinstance(path[end - 1], str))
        return next((path[:end] for end in ends if _static(path[:end]) in paths), ())

    return value_of


def _static(path: tuple[str | int, ...]) -> str:
    return ".".join(key for key in path if isinstance(key, str))


def written_by_the_database(value: Any) -> bool:
    """Say whether anything in an answer was written by the database."""
    if isinstance(value, dict):
        return any(written_by_the_database(item) for item in value.values())
    return (
        any(written_by_the_database(item) for item in value)
        if isinstance(value, list)
        else type(value) is orjson.Fragment
    )


def _ordered(value: Any) -> Any:
    """Return data in which the order of keys counts."""
    if isinstance(value, dict):
        return [(key, _ordered(item)) for key, item in value.items()]
    return [_ordered(item) for item in value] if isinstance(value, list) else value
