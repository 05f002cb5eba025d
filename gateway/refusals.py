"""Why the gateway refuses a request before anything is executed; docs/operations-registry.md lists the codes.

ClientError
└── RefusedError
├── MalformedRequestError             BAD_REQUEST
├── MethodError                       METHOD_NOT_ALLOWED
├── MediaTypeError                    UNSUPPORTED_MEDIA_TYPE
├── TransportError                    UNSUPPORTED_TRANSPORT
├── TooManyStreamsError               TOO_MANY_STREAMS
├── TooManyOperationsError            TOO_MANY_OPERATIONS
├── BatchLimitError                   BATCH_TOO_LARGE
├── DocumentLimitError                DOCUMENT_TOO_LARGE
├── OperationCostError                OPERATION_TOO_EXPENSIVE
├── OverBudgetError                   COST_BUDGET_EXCEEDED
├── PersistedQueryNotFoundError       PERSISTED_QUERY_NOT_FOUND
├── PersistedQueryNotSupportedError   PERSISTED_QUERY_NOT_SUPPORTED
├── HashMismatchError                 PERSISTED_QUERY_HASH_MISMATCH
├── UntrustedOperationError           OPERATION_NOT_TRUSTED
└── IntrospectionError                INTROSPECTION_DISABLED
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from graphql import GraphQLError

from core.errors import ClientError

BAD_REQUEST = 400


class RefusedError(ClientError):
    """A request was refused.

    Attributes:
        status: HTTP status; None where the request was well formed, so that the media type of the answer decides.
        headers: what the answer's headers say besides.
        details: what the error's extensions say besides.
    """

    status: ClassVar[int | None] = None
    headers: ClassVar[dict[str, str]] = {}
    details: Mapping[str, Any] = MappingProxyType({})


class MalformedRequestError(RefusedError):
    """The request is not one of GraphQL over HTTP."""

    status = BAD_REQUEST


class MethodError(RefusedError):
    """Another method than GET and POST, or one that may not do what the operation does."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    headers: ClassVar[dict[str, str]] = {"Allow": "GET, POST"}


class QueryByGetError(MethodError):
    """GET, and not for a query."""

    headers: ClassVar[dict[str, str]] = {"Allow": "POST"}


class MediaTypeError(RefusedError):
    """The body is not JSON in UTF-8, by its own account, or it is packed."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    headers: ClassVar[dict[str, str]] = {"Accept-Post": "application/json", "Accept-Encoding": "identity"}


class TransportError(RefusedError):
    """A subscription, asked for where only one answer can be given."""

    code = "UNSUPPORTED_TRANSPORT"

    def __init__(self) -> None:
        super().__init__("Subscriptions are answered over WebSocket, or as `text/event-stream`.")


class TooManyStreamsError(RefusedError):
    """This process holds as many streams as it may."""

    code = "TOO_MANY_STREAMS"
    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("Too many streams are open here; try again later.")


class TooManyOperationsError(RefusedError):
    """As many operations run on this connection as may."""

    code = "TOO_MANY_OPERATIONS"

    def __init__(self) -> None:
        super().__init__("Too many operations run on this connection; complete one first.")


class BatchLimitError(RefusedError):
    """More operations in one request than are allowed."""

    code = "BATCH_TOO_LARGE"
    status = BAD_REQUEST


class DocumentLimitError(RefusedError):
    """A document is larger than anything a client needs; it was not executed."""

    code = "DOCUMENT_TOO_LARGE"


class OperationCostError(RefusedError):
    """An operation costs more than any may, with these variables; it was not executed.

    Args:
        cost: what it would cost.
        most: what one operation may cost.
    """

    code = "OPERATION_TOO_EXPENSIVE"

    def __init__(self, cost: int, most: int) -> None:
        super().__init__(
            f"The operation may cost {cost}, and none may cost more than {most}: "
            "ask for shorter lists, or for less of each element."
        )
        self.details = {"cost": cost, "limit": most}


class OverBudgetError(RefusedError):
    """A client has used up what it may for now; the operation was not executed.

    Args:
        cost: what the operation may cost.
        seconds: after which there is so much again.
    """

    code = "COST_BUDGET_EXCEEDED"

    def __init__(self, cost: int, seconds: int) -> None:
        self.seconds = max(seconds, 1)
        super().__init__(
            f"The operation may cost {cost}, which is more than what is left of your budget; "
            f"try again in {self.seconds} seconds."
        )
        self.details = {"cost": cost, "retryAfter": self.seconds}


class PersistedQueryNotFoundError(RefusedError):
    """No operation has the id that was sent. Code and message are Apollo's; its clients then send the text."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class PersistedQueryNotSupportedError(RefusedError):
    """Operations are not persisted on the way here. Code and message are Apollo's; its clients then stop trying."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class HashMismatchError(RefusedError):
    """The hash that was sent is not that of the text that was sent."""

    code = "PERSISTED_QUERY_HASH_MISMATCH"
    status = BAD_REQUEST

    def __init__(self) -> None:
        super().__init__("provided sha does not match query")


class UntrustedOperationError(RefusedError):
    """Only registered operations may be run, and this one is not."""

    code = "OPERATION_NOT_TRUSTED"

    def __init__(self) -> None:
        super().__init__("Only registered operations may be run here, and this document is not one of them.")


class IntrospectionError(RefusedError):
    """The schema may not be asked for; it is published as a file."""

    code = "INTROSPECTION_DISABLED"

    def __init__(self) -> None:
        super().__init__("Introspection is off here; use the published schema.")


class InvalidDocumentError(Exception):
    """A document does not parse or is not valid for the schema.

    Args:
        errors: what is wrong, in graphql-core's words.
    """

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(_placed(error) for error in errors))


def _placed(error: GraphQLError) -> str:
    """Return a message with where in the document it is meant."""
    if not error.locations:
        return error.message
    first = error.locations[0]
    return f"{error.message} (line {first.line}, column {first.column})"
