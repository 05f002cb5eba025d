"""Who is asking, and the rules that decide what they may do: predicates without GraphQL or SQL."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.errors import ClientError, UnauthenticatedError


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in caller, as their access token says.

    Attributes:
        account_id: the account.
        learner_id: the learner that the account is.
        roles: names of `database.tables.accounts.Role`.
        session_id: the session that the token belongs to.
    """

    account_id: int
    learner_id: int
    roles: frozenset[str]
    session_id: UUID


def signed_in(identity: Identity | None) -> ClientError | None:
    """Refuse callers without a valid access token."""
    return None if identity is not None else UnauthenticatedError("Sign in to use this field.")
