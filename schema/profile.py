"""The caller's own account: their name, their password, a copy of their data, and the end of it all."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.fields import column, command
from resolvers import profile
from schema.accounts import Viewer
from schema.errors import UserError, refusal_as, user_errors
from schema.inputs import INPUT, given
from schema.policies import ANYONE, SIGNED_IN


@strawberry.type(description="The answer of `updateProfile` and `changePassword`.")
class ViewerPayload:
    """The answer of the mutations that change the caller's own account."""

    viewer: Viewer | None = column(ANYONE, "The account as it is now; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `exportMyData`.")
class ExportMyDataPayload:
    """The answer of `exportMyData`."""

    data: str | None = column(
        ANYONE, "A JSON document to be saved as a file. Kinds listed in `incomplete` hold the newest 50,000 rows."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `deleteMyAccount`.")
class DeleteMyAccountPayload:
    """The answer of `deleteMyAccount`."""

    user_errors: list[UserError] = user_errors()


@strawberry.input(description="What to change of the caller's profile.")
class UpdateProfileInput:
    """Input of `updateProfile`."""

    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="How they want to be called; 1 to 80 characters. It stays when left out."
    )

    def to_criteria(self) -> profile.UpdateProfile:
        """Return the resolver's form."""
        return profile.UpdateProfile(display_name=given(self.display_name))


@strawberry.input(description="A new password.")
class ChangePasswordInput:
    """Input of `changePassword`."""

    current_password: str = strawberry.field(description="The password that the account has.")
    new_password: str = strawberry.field(
        description="8 to 128 characters of any kind; refused when it is among those that are tried first."
    )

    def to_criteria(self) -> profile.ChangePassword:
        """Return the resolver's form."""
        return profile.ChangePassword(current_password=self.current_password, new_password=self.new_password)


@strawberry.input(description="The consent to delete the caller's account.")
class DeleteMyAccountInput:
    """Input of `deleteMyAccount`."""

    password: str = strawberry.field(description="The password that the account has.")

    def to_criteria(self) -> profile.DeleteMyAccount:
        """Return the resolver's form."""
        return profile.DeleteMyAccount(password=self.password)


_VIEWER = refusal_as(profile.ViewerPayload)
_EXPORT = refusal_as(profile.ExportMyDataPayload)
_DELETION = refusal_as(profile.DeleteMyAccountPayload)


@strawberry.type
class ProfileMutation:
    """Part of the mutation type."""

    @command(profile.update_profile, policy=SIGNED_IN, refusal=_VIEWER)
    def update_profile(self, input: Annotated[UpdateProfileInput, INPUT]) -> ViewerPayload:  # noqa: A002
        """Changes the caller's profile."""
        raise NotImplementedError

    @command(profile.change_password, policy=SIGNED_IN, refusal=_VIEWER)
    def change_password(self, input: Annotated[ChangePasswordInput, INPUT]) -> ViewerPayload:  # noqa: A002
        """Replaces the password and ends all other sessions. Too many wrong ones are refused with RATE_LIMITED."""
        raise NotImplementedError

    @command(profile.export_my_data, policy=SIGNED_IN, refusal=_EXPORT)
    def export_my_data(self) -> ExportMyDataPayload:
        """Returns everything that is held about the caller."""
        raise NotImplementedError

    @command(profile.delete_my_account, policy=SIGNED_IN, refusal=_DELETION)
    def delete_my_account(self, input: Annotated[DeleteMyAccountInput, INPUT]) -> DeleteMyAccountPayload:  # noqa: A002
        """Deletes the caller's account with everything that they learned. It cannot be taken back."""
        raise NotImplementedError
