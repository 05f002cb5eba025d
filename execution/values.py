"""What generated code does with single values: the cheap checks, and what stands behind them.

Generated code expects what is normal: a text where a text is due, a list where a list is due. Whatever else it meets
goes through the functions of this module, which either do what graphql-core would, or raise `AbnormalError`: then the
whole completion is done again by `execution/completion.py`, which is slow, and exact about errors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType, GraphQLScalarType, Undefined
from graphql.pyutils import is_iterable
from strawberry.execution import optimized_is_awaitable as is_awaitable

_MOST_PLAIN_CLASSES = 10_000

PLAIN: set[type] = set()
"""Classes whose instances are values: neither exceptions, nor awaitable, nor absent. Generated code looks here."""


class AbnormalError(Exception):
    """A value is not what generated code expects; it is not necessarily wrong."""


def plain(value: Any) -> None:
    """Remember the class of an object that can be completed as it is.

    Raises:
        AbnormalError: it is absent, an exception, or has to be awaited.
    """
    if value is None or value is Undefined or isinstance(value, BaseException) or is_awaitable(value):
        raise AbnormalError
    if len(PLAIN) >= _MOST_PLAIN_CLASSES:
        PLAIN.clear()
    PLAIN.add(type(value))


def is_plain(kind: type) -> bool:
    """Say whether the instances of a class, and of its usual subclasses, can be completed as they are."""
    return not issubclass(kind, BaseException) and kind is not object and not hasattr(kind, "__await__")


def listed(value: Any) -> Collection[Any]:
    """Return a list as it is.

    Raises:
        AbnormalError: it is something else, such as an iterator, which could not be read again.
    """
    if type(value) is list or type(value) is tuple:
        return value
    if not is_iterable(value) or isinstance(value, BaseException | Iterator) or not isinstance(value, Collection):
        raise AbnormalError
    if is_awaitable(value) or hasattr(value, "__aiter__"):
        raise AbnormalError
    return value


def serializer(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return what generated code calls for the values of a leaf type that no cheap check lets pass."""
    coerce = kind.coerce_output_value

    def serialize(value: Any) -> Any:
        if type(value) not in PLAIN:
            plain(value)
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise AbnormalError
        return coerced

    return serialize


class EnumNames(dict[Any, str]):
    """Names of an enum's values as clients see them, by the values and members that resolvers return."""

    def __init__(self, kind: GraphQLEnumType) -> None:
        self._serialize = serializer(kind)
        members = getattr(kind, "wrapped_cls", ())
        values = (value.value for value in kind.values.values())
        known = (value for value in (*values, *members) if value is not None and isinstance(value, Hashable))
        super().__init__({value: self._serialize(value) for value in known})

    def __missing__(self, value: Any) -> str:
        """Serialize a value that is none of the known ones, as far as the type does."""
        name: str = self._serialize(value)
        return name


def leaf_table(kind: GraphQLLeafType) -> Any:
    """Return what generated code knows a leaf type by: a function for a scalar, a dictionary for an enum."""
    return serializer(kind) if isinstance(kind, GraphQLScalarType) else EnumNames(kind)
