"""Who may see a field or run a command: declared on it, applied by every executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import ClientError


@dataclass(frozen=True, slots=True)
class Policy:
    """A named rule over the request context.

    Attributes:
        name: what the permission matrix and the documentation call it.
        check: given the request context, None to allow, or the error that refuses. None instead of a
            function: everybody is allowed, and executors may skip the call.
    """

    name: str
    check: Callable[[Any], ClientError | None] | None = None

    def enforce(self, context: Any) -> None:
        """Raise the refusal, if there is one.

        Raises:
            ClientError: the request may not see the field; the message names what was missing.
        """
        if self.check is not None:
            refusal = self.check(context)
            if refusal is not None:
                raise refusal
