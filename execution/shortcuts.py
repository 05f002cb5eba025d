"""The short way of a query that is one call: what a `Run` comes to where nothing is out of the ordinary.

A run keeps errors, places and levels. A query whose only field is answered by one call, with nothing below that
another call answers, needs none of these until something is abnormal; then a run takes over, with what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql.execution.values import VariableValues

from core.errors import ClientError, UnavailableError
from core.selections import Written
from execution.fields import BatchField
from execution.running import Answer, CompiledSegment, PreparedCall, WritingError


@dataclass(frozen=True, eq=False, slots=True)
class Shortcut:
    """The only call of a query.

    Attributes:
        call: it.
        declared: what is called.
        segment: the query, with the function that completes the call's values, which asks nothing of a run.
        number: of the call's field.
    """

    call: PreparedCall
    declared: BatchField
    segment: CompiledSegment
    number: int

    async def answer(
        self, context: Any, variables: VariableValues, root: Any, written: Written | None
    ) -> Answer | Sequence[Any] | None:
        """Return the answer; or what was called for where it is not normal; or None where nothing was called.

        Raises:
            WritingError: the rows could not be had as JSON.
        """
        try:
            arguments = self.call.arguments.bind(variables, context)
        except Exception:  # noqa: BLE001 - A run meets it again, and tells it.
            return None
        if written is not None:
            arguments = {**arguments, "written": written}
        try:
            values = list(await self.declared.resolver(context, [root], **arguments))
        except Exception as error:
            if written is not None and not isinstance(error, ClientError | UnavailableError):
                raise WritingError from error
            return [error]
        data: dict[str, Any] = {}
        try:
            (value,) = values
            self.segment.completions[self.number](None, [(root, data)], [value])  # type: ignore[arg-type]  # As said.
        except Exception:  # noqa: BLE001 - The slow way finds out what it was.
            return values
        return Answer(data, [])


def shortcut(segments: Sequence[CompiledSegment], plain: Sequence[bool]) -> Shortcut | None:
    """Return the short way of a query, if it has one.

    Args:
        segments: of the query.
        plain: for each, whether its completions ask nothing of a run.
    """
    if len(segments) != 1 or not all(plain) or len(segments[0].levels) != 1:
        return None
    (segment,) = segments
    calls = segment.levels[0]
    if len(calls) != 1 or len(calls[0].fields) != 1 or len(segment.segment.root.fields) != 1:
        return None
    (call,) = calls
    declared = call.declared
    if not isinstance(declared, BatchField) or declared.policy.check_parents is not None:
        return None
    return Shortcut(call, declared, segment, call.fields[0].number)
