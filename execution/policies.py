"""Who may see a field or run a command: declared on it, applied by every executor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ClientError

ParentsCheck = Callable[[Any, Sequence[Any]], Awaitable[Sequence[ClientError | None]]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A named rule over the request context, and over the parents that a field belongs to.

    Attributes:
        name: what the permission matrix and the documentation call it.
        check: given the request context, None to allow, or the error that refuses. None instead of a
            function: everybody is allowed, and executors may skip the call.
        check_parents: given the request context and all parents of one level, None or the error that refuses for
            each parent, in order. It is asked once a level, after `check`, and only fields with a batch resolver
            can have it. A refused parent's field is null with an error, and nobody else's.
    """

    name: str
    check: Callable[[Any], ClientError | None] | None = None
    check_parents: ParentsCheck | None = None

    def enforce(self, context: Any) -> None:
        """Raise the refusal, if there is one.

        Raises:
            ClientError: the request may not see the field; the message names what was missing.
        """
        if self.check is not None:
            refusal = self.check(context)
            if refusal is not None:
                raise refusal

    async def resolve(
        self,
        resolver: Callable[..., Awaitable[Sequence[Any]]],
        context: Any,
        parents: Sequence[Any],
        arguments: dict[str, Any],
    ) -> list[Any]:
        """Return a batch resolver's results for the parents that are allowed, and the refusal of each other one.

        The resolver is not called when nobody is left.
        """
        results: list[Any]
        # Whoever keeps the answer must know what it was made of.
        observe = getattr(context, "observe", None)
        if self.check_parents is None:
            results = list(await resolver(context, parents, **arguments))
            if observe is not None:
                observe(results)
            return results
        results = list(await self.check_parents(context, parents))
        allowed = [place for place, refusal in enumerate(results) if refusal is None]
        if allowed:
            answers = await resolver(context, [parents[place] for place in allowed], **arguments)
            for place, answer in zip(allowed, answers, strict=True):
                results[place] = answer
        return results
