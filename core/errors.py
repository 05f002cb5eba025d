"""The tree of errors.

    WaymarkError
    ├── InputError            what a person typed or a file held is wrong; the message is for them
    │   └── RowError          one row of an imported file: line, column, reason
    ├── CommandError          a mutation was refused, as expected: becomes one of its `userErrors`
    ├── ClientError           a GraphQL error that clients may read as it is
    │   ├── AccessError       a field's or command's policy said no
    │   │   ├── UnauthenticatedError
    │   │   └── ForbiddenError
    │   └── InvalidArgumentError  an argument that the type system could not refuse
    ├── DecryptionError       stored personal data cannot be read: a key is missing, or bytes were changed
    └── UnavailableError      a part that we depend on is missing, late or stale
        └── ReleaseError      a model release that serving must not load

Whatever is not in this tree is a bug: clients get a masked message and a correlation id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class WaymarkError(Exception):
    """Every error that this code base raises on purpose."""


class InputError(WaymarkError):
    """What a person typed, or a file they named, cannot be used; the message is one clear line."""


class RowError(InputError):
    """One row of an imported file was refused; the other rows still load.

    Args:
        line: line number in the file, the header being line 1.
        column: name of the offending column, or None when the whole row is at fault.
        reason: what is wrong, for the person who owns the file.
    """

    def __init__(self, line: int, column: str | None, reason: str) -> None:
        self.line = line
        self.column = column
        self.reason = reason
        where = f"line {line}" if column is None else f"line {line}, column {column}"
        super().__init__(f"{where}: {reason}")


class UserErrorCode(StrEnum):
    """Why a mutation was refused. Open to growth: clients treat a code they do not know as `INVALID`."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"
    NOT_FOUND = "NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    EMAIL_TAKEN = "EMAIL_TAKEN"
    WEAK_PASSWORD = "WEAK_PASSWORD"  # noqa: S105 - an error code, not a password.
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    ALREADY_ENROLLED = "ALREADY_ENROLLED"
    NOT_PUBLISHED = "NOT_PUBLISHED"
    NOT_ENROLLED = "NOT_ENROLLED"
    CONFLICT = "CONFLICT"
    INVALID_STATE = "INVALID_STATE"
    SLUG_TAKEN = "SLUG_TAKEN"
    PREREQUISITE_CYCLE = "PREREQUISITE_CYCLE"
    QUALITY = "QUALITY"
    ATTEMPT_LIMIT_REACHED = "ATTEMPT_LIMIT_REACHED"
    ATTEMPT_CLOSED = "ATTEMPT_CLOSED"
    DEADLINE_PASSED = "DEADLINE_PASSED"
    LAST_ADMINISTRATOR = "LAST_ADMINISTRATOR"
    RATE_LIMITED = "RATE_LIMITED"


class CommandError(WaymarkError):
    """A mutation was refused for a reason its caller can act on; it becomes one of its `userErrors`.

    Args:
        code: the documented reason.
        message: one sentence in plain English, fit to be shown to a developer.
        field: path of the input field at fault, in GraphQL names, such as `("input", "email")`.
        others: further reasons, for a command that tells all that is wrong at once.
    """

    def __init__(
        self,
        code: UserErrorCode,
        message: str,
        field: tuple[str, ...] | None = None,
        others: tuple[CommandError, ...] = (),
    ) -> None:
        self.code = code
        self.message = message
        self.field = field
        self.others = others
        super().__init__(f"{code.value}: {message}")


class ClientError(WaymarkError):
    """An error that a GraphQL client may read as it is; `code` goes to `extensions.code`."""

    code: ClassVar[str] = "BAD_REQUEST"


class AccessError(ClientError):
    """A policy said no. The message says what was missing and never what exists."""

    code = "FORBIDDEN"


class UnauthenticatedError(AccessError):
    """The field or command is for signed-in callers."""

    code = "UNAUTHENTICATED"


class ForbiddenError(AccessError):
    """The caller is signed in and still may not."""


class InvalidArgumentError(ClientError):
    """An argument is of the right type and still cannot be used, such as a cursor of another connection."""

    code = "INVALID_ARGUMENT"


class DecryptionError(WaymarkError):
    """Stored personal data cannot be read: its key is missing, or its bytes or their place were changed."""


class UnavailableError(WaymarkError):
    """A part that we depend on is missing, late or stale."""


class ReleaseError(UnavailableError):
    """A model release is damaged or does not fit the features that are served."""
