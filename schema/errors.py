"""Expected refusals of mutations, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry

from core.errors import CommandError, UserErrorCode
from execution.fields import column
from resolvers.payloads import Payload
from schema.enums import describe
from schema.policies import ANYONE

describe(
    UserErrorCode,
    "Why a mutation was refused. Open to growth: treat a code you do not know as INVALID.",
    INVALID="The value cannot be used; the message says why.",
    REQUIRED="Something that is needed was left out or empty.",
    TOO_LONG="A text is longer than we store.",
    TOO_MANY="A list is longer than we take.",
    NOT_FOUND="There is no such object that the caller may see.",
    UNAUTHENTICATED="Sign in first.",
    FORBIDDEN="The caller may see the object and still may not do this.",
    EMAIL_TAKEN="The address has an account.",
    WEAK_PASSWORD="The password is too short, or among those that are tried first.",  # noqa: S106 - a description.
    INVALID_CREDENTIALS="Address and password do not belong together.",
    SESSION_EXPIRED="The session has ended; sign in again.",
    ACCOUNT_SUSPENDED="An administrator has suspended the account; nobody can sign in to it until it is restored.",
    ALREADY_ENROLLED="The learner takes this course already.",
    NOT_PUBLISHED="The course takes no new learners.",
    NOT_ENROLLED="The learner does not take this course.",
    CONFLICT="Somebody else changed the object in the meantime; read it again.",
    INVALID_STATE="The object is in a state that does not allow this.",
    SLUG_TAKEN="Another course has this slug.",
    PREREQUISITE_CYCLE="A course would become a prerequisite of itself.",
    QUALITY="The course breaks a rule that blocks its publication.",
    ATTEMPT_LIMIT_REACHED="The learner has used up all attempts.",
    ATTEMPT_CLOSED="The attempt was submitted before.",
    DEADLINE_PASSED="The time of the attempt is over; what was saved in time counts.",
    LAST_ADMINISTRATOR="Somebody must remain who manages accounts.",
    RATE_LIMITED="Too many tries; wait for a while.",
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


def refusal_as(payload: type[Payload]) -> Callable[[CommandError], Payload]:
    """Return what makes a refusal into an otherwise empty payload."""

    def refusal(error: CommandError) -> Payload:
        return payload(user_errors=(error, *error.others))

    return refusal
