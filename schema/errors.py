"""Expected refusals of mutations, as data."""

from __future__ import annotations

from typing import Any

import strawberry

from core.errors import UserErrorCode
from execution.fields import column
from resolvers.payloads import Payload
from schema.policies import ANYONE

strawberry.enum(
    UserErrorCode, description="Why a mutation was refused. Open to growth: treat a code you do not know as INVALID."
)


@strawberry.type(description="One reason why a mutation was refused; nothing was changed.")
class UserError:
    """A refusal."""

    code: UserErrorCode = column(ANYONE, "The reason, for programs.")
    message: str = column(ANYONE, "The reason as a sentence in English, for developers.")
    field: list[str] | None = column(
        ANYONE, 'Path of the input field at fault, such as `["input", "email"]`; null when no single one is.'
    )


def _told(payload: Payload) -> list[UserError]:
    # graphql-core takes an exception among the results for a failure of the field, so it must not meet ours.
    return [
        UserError(code=refused.code, message=refused.message, field=None if refused.field is None else [*refused.field])
        for refused in payload.user_errors
    ]


def user_errors() -> Any:
    """Declare the field that every payload has."""
    return column(ANYONE, "Why the mutation was refused; empty when it was done.", read=_told)
