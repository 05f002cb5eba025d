"""Signing up, in and out as clients do it."""

from __future__ import annotations

from datetime import datetime

import strawberry

from execution.fields import column
from resolvers import sessions as session_resolvers
from schema.accounts import Viewer
from schema.errors import UserError, user_errors
from schema.policies import ANYONE


@strawberry.type(description="What a client keeps while it is signed in. Both tokens are secrets.")
class Session:
    """A session."""

    access_token: str = column(ANYONE, "Send it as `Authorization: Bearer …` until it expires.")
    expires_at: datetime = column(ANYONE, "When the access token ends; call `refreshSession` before or after.")
    refresh_token: str = column(
        ANYONE,
        "Good for one `refreshSession`, without an Authorization header, which may be asked again for a minute. Using"
        " it later ends the session.",
    )


@strawberry.type(description="The answer of a mutation that signs in.")
class SessionPayload:
    """The answer of `signUp`, `signIn` and `refreshSession`."""

    session: Session | None = column(ANYONE, "The session; null when refused.")
    viewer: Viewer | None = column(ANYONE, "Who is signed in now; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `signOut`.")
class SignOutPayload:
    """The answer of `signOut`."""

    user_errors: list[UserError] = user_errors()


@strawberry.input(description="A new account.")
class SignUpInput:
    """Input of `signUp`."""

    email: str = strawberry.field(description="An address that has no account yet.")
    password: str = strawberry.field(
        description="8 to 128 characters of any kind; refused when it is among those that are tried first."
    )
    display_name: str = strawberry.field(description="How they want to be called; 1 to 80 characters.")

    def to_criteria(self) -> session_resolvers.SignUp:
        """Return the resolver's form."""
        return session_resolvers.SignUp(email=self.email, password=self.password, display_name=self.display_name)


@strawberry.input(description="Credentials.")
class SignInInput:
    """Input of `signIn`."""

    email: str = strawberry.field(description="The address of the account; upper and lower case are the same.")
    password: str = strawberry.field(description="Its password.")

    def to_criteria(self) -> session_resolvers.SignIn:
        """Return the resolver's form."""
        return session_resolvers.SignIn(email=self.email, password=self.password)


@strawberry.input(description="A session to continue.")
class RefreshSessionInput:
    """Input of `refreshSession`."""

    refresh_token: str = strawberry.field(description="The newest refresh token of the session.")

    def to_criteria(self) -> session_resolvers.RefreshSession:
        """Return the resolver's form."""
        return session_resolvers.RefreshSession(refresh_token=self.refresh_token)
