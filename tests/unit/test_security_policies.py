"""The rules over who is asking."""

from __future__ import annotations

from uuid import UUID

import pytest

from core.errors import ForbiddenError, UnauthenticatedError
from database.tables.accounts import Role
from security.policies import Identity, has_role, may_see_all_courses


def somebody(*roles: Role) -> Identity:
    """Return a signed-in caller."""
    return Identity(1, 2, frozenset(role.value for role in roles), UUID(int=3))


def test_stranger_is_asked_to_sign_in() -> None:
    """Whoever is signed out is not told which role is missing."""
    assert isinstance(has_role(None, Role.MODERATOR), UnauthenticatedError)


def test_refusal_names_the_role_that_is_missing() -> None:
    """The message says what the caller would need."""
    refusal = has_role(somebody(Role.LEARNER), Role.INSTRUCTOR, Role.MODERATOR)
    assert isinstance(refusal, ForbiddenError)
    assert "This takes the role INSTRUCTOR or MODERATOR." == str(refusal)


@pytest.mark.parametrize("role", [Role.INSTRUCTOR, Role.ADMINISTRATOR])
def test_role_is_enough_and_so_is_administrator(role: Role) -> None:
    """An administrator may do what anybody with a role may."""
    assert has_role(somebody(role), Role.INSTRUCTOR) is None


def test_only_moderators_and_administrators_see_all_courses() -> None:
    """An instructor sees their own drafts and nobody else's."""
    seers = [role for role in Role if may_see_all_courses(somebody(role))]
    assert [Role.MODERATOR, Role.ADMINISTRATOR] == seers
