"""Accounts as administrators see and govern them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry

from database.tables.accounts import Role
from execution.fields import batch, column, command
from resolvers import users as user_resolvers
from schema.errors import UserError, refusal_as, user_errors
from schema.inputs import INPUT
from schema.nodes import Node, global_id
from schema.pagination import After, Connection, First
from schema.policies import ADMINISTRATOR, ANYONE


@strawberry.type(description="Somebody's account, for administrators.")
class User(Node):
    """An account."""

    id: strawberry.ID = column(ADMINISTRATOR, "Opaque and stable.", read=global_id("User"))
    email: str = column(ADMINISTRATOR, "The address that they sign in with. Personal data.")
    display_name: str = column(ADMINISTRATOR, "The name that they chose. Personal data.")
    roles: list[Role] = column(ADMINISTRATOR, "What they may do; everybody is at least a learner.")
    suspended_at: datetime | None = column(ADMINISTRATOR, "Since when nobody can sign in to it; null when one can.")
    created_at: datetime = column(ADMINISTRATOR, "When they signed up.")

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        """Say whether an object is an account as administrators see it."""
        return isinstance(value, user_resolvers.User)


@strawberry.type(description="The answer of `setRoles`, `suspendUser` and `restoreUser`.")
class UserPayload:
    """The answer of the mutations about accounts."""

    user: User | None = column(ANYONE, "The account as it is now; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="The roles that an account has from now on.")
class SetRolesInput:
    """Input of `setRoles`."""

    user_id: strawberry.ID = strawberry.field(description="Whose.")
    roles: list[Role] = strawberry.field(description="All of them; LEARNER is added, as everybody is one.")

    def to_criteria(self) -> user_resolvers.SetRoles:
        """Return the resolver's form."""
        return user_resolvers.SetRoles(user_id=self.user_id, roles=tuple(self.roles))


@strawberry.input(description="An account to suspend.")
class SuspendUserInput:
    """Input of `suspendUser`."""

    user_id: strawberry.ID = strawberry.field(description="Whose.")
    reason: str = strawberry.field(description="Why, for other administrators; at most 500 characters.")

    def to_criteria(self) -> user_resolvers.SuspendUser:
        """Return the resolver's form."""
        return user_resolvers.SuspendUser(user_id=self.user_id, reason=self.reason)


@strawberry.input(description="A suspended account to restore.")
class RestoreUserInput:
    """Input of `restoreUser`."""

    user_id: strawberry.ID = strawberry.field(description="Whose.")

    def to_criteria(self) -> user_resolvers.NamedUser:
        """Return the resolver's form."""
        return user_resolvers.NamedUser(user_id=self.user_id)


_USER = refusal_as(user_resolvers.UserPayload)


@strawberry.type
class UserQuery:
    """Part of the query type."""

    @batch(user_resolvers.users, policy=ADMINISTRATOR)
    def users(
        self,
        query: Annotated[
            str | None,
            strawberry.argument(
                description="The exact address of an account: addresses are stored encrypted, and parts are not found."
            ),
        ] = strawberry.UNSET,
        role: Annotated[Role | None, strawberry.argument(description="Only who has this role.")] = strawberry.UNSET,
        suspended: Annotated[
            bool | None, strawberry.argument(description="Only suspended accounts, or only others.")
        ] = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> Connection[User] | None:
        """Accounts, newest first; for administrators."""
        raise NotImplementedError


@strawberry.type
class UserMutation:
    """Part of the mutation type."""

    @command(user_resolvers.set_roles, policy=ADMINISTRATOR, refusal=_USER)
    def set_roles(self, input: Annotated[SetRolesInput, INPUT]) -> UserPayload:  # noqa: A002
        """Replaces the roles of an account. Access tokens of before stop working within seconds; sessions go on."""
        raise NotImplementedError

    @command(user_resolvers.suspend_user, policy=ADMINISTRATOR, refusal=_USER)
    def suspend_user(self, input: Annotated[SuspendUserInput, INPUT]) -> UserPayload:  # noqa: A002
        """Suspends an account: sessions end, access tokens stop working within seconds, nobody can sign in to it."""
        raise NotImplementedError

    @command(user_resolvers.restore_user, policy=ADMINISTRATOR, refusal=_USER)
    def restore_user(self, input: Annotated[RestoreUserInput, INPUT]) -> UserPayload:  # noqa: A002
        """Ends a suspension; the owner signs in again."""
        raise NotImplementedError
