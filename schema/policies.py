"""The named policies that fields and commands declare."""

from __future__ import annotations

from core.errors import ClientError
from execution.policies import Policy
from resolvers.context import Context
from security import policies


def _signed_in(context: Context) -> ClientError | None:
    return policies.signed_in(context.identity)


ANYONE = Policy("anyone")
SIGNED_IN = Policy("signed-in", _signed_in)
