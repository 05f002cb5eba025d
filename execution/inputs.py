"""Coerced arguments to Strawberry's types, as `strawberry.types.arguments.convert_argument` makes them.

Strawberry resolves annotations and names of fields again for every value. Here that is done when an operation is
compiled; only what a value needs is left: a copy for a list, an instance for an input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from functools import partial
from typing import Any

from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_argument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType

Converter = Callable[[Any], Any]


class Converters:
    """Makes converters of one schema; the same type is looked at once."""

    def __init__(self, config: StrawberryConfig, scalars: Any) -> None:
        self._config = config
        self._scalars = scalars
        self._inputs: dict[Any, InputConverter] = {}

    def of(self, kind: Any) -> Converter | None:
        """Return what converts a value that is neither null nor absent; None where it is right as it is."""
        if isinstance(kind, StrawberryMaybe) or kind is GlobalID:
            return partial(convert_argument, type_=kind, scalar_registry=self._scalars, config=self._config)
        if isinstance(kind, StrawberryOptional | LazyType):
            return self.of(kind.of_type if isinstance(kind, StrawberryOptional) else kind.resolve_type())
        if isinstance(kind, StrawberryList):
            item = self.of(kind.of_type)
            # Even a list of scalars is copied: graphql-core gives the same default to every request.
            return list if item is None else partial(_converted_list, item)
        if is_scalar(kind, self._scalars) or isinstance(kind, StrawberryEnumDefinition) or has_enum_definition(kind):
            return None
        return self._input(kind)

    def _input(self, kind: Any) -> InputConverter:
        if kind not in self._inputs:
            # It is known before its fields are looked at: an input may hold itself.
            made = self._inputs[kind] = InputConverter(kind)
            definition: StrawberryObjectDefinition = kind.__strawberry_definition__
            for field in definition.fields:
                field_type = field.resolve_type(type_definition=definition)
                name = self._config.name_converter.from_field(field)
                keep_null = isinstance(field_type, StrawberryMaybe)
                made.fields.append((name, field.python_name, self.of(field_type), keep_null))
                if definition.is_input and field.default_value is MISSING and field.default_factory is MISSING:
                    made.absent[field.python_name] = None
        return self._inputs[kind]


class InputConverter:
    """Converts a dictionary to an instance of an input type.

    Attributes:
        fields: name in GraphQL, name in Python, converter, and whether that wants to see null.
        absent: what is passed for fields that have no default and are not given.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.fields: list[tuple[str, str, Converter | None, bool]] = []
        self.absent: dict[str, None] = {}

    def __call__(self, value: Any) -> Any:
        """Return the instance."""
        given: dict[str, Any] = dict(self.absent)
        for name, python_name, convert, keep_null in self.fields:
            if name in value:
                one = value[name]
                given[python_name] = one if convert is None or (one is None and not keep_null) else convert(one)
        return self._kind(**given)


def _converted_list(convert: Converter, values: Any) -> list[Any]:
    return [None if value is None else convert(value) for value in values]
