"""Who is asking, and the rules that decide what they may do: predicates without GraphQL or SQL."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.errors import ClientError, ForbiddenError, UnauthenticatedError
from database.tables.accounts import Role

_SEES_ALL = frozenset({Role.MODERATOR, Role.ADMINISTRATOR})


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


def has_role(identity: Identity | None, *roles: Role) -> ClientError | None:
    """Refuse callers who have none of the roles. An administrator may do what anybody with a role may."""
    if identity is None:
        return UnauthenticatedError("Sign in to use this field.")
    if identity.roles.isdisjoint((*roles, Role.ADMINISTRATOR)):
        named = " or ".join(role.value for role in roles)
        return ForbiddenError(f"This takes the role {named}.")
    return None


def may_see_all_courses(identity: Identity | None) -> bool:
    """Say whether somebody sees courses that are not published, whoever wrote them."""
    return identity is not None and not identity.roles.isdisjoint(_SEES_ALL)
