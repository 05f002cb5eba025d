"""What an operation costs: by its document and variables before it runs, and by its answer afterwards.

The model is that of the cost directives in the schema (`execution/directives.py`): each value of a field costs its
weight and what is selected below it, and a list is as long as `@listSize` says. Of a value of an abstract type the
most expensive kind is counted. Afterwards lists are as long as they were. An operation costs at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field as attribute
from typing import Any

import orjson
from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    value_from_ast_untyped,
)
from orjson import Fragment

from execution.directives import Cost, ListSize
from execution.fields import DeclaredField
from execution.lengths import BEYOND, Given, Size, length_of, said

MOST_FIELDS = 3_000

_MOST_KNOWN = 128
_MOST_TEXTS = 1_024
_ABSENT = object()

_Condition = tuple[str, bool]
_Held = frozenset[_Condition]
_Occurrences = list[tuple[FieldNode, _Held]]
_Selected = tuple[GraphQLObjectType, list[tuple[SelectionSetNode, _Held]]]


class _TooLargeError(Exception):
    """There are more fields than anybody should count."""


@dataclass(slots=True)
class _Priced:
    """A field at its place in the answer.

    Attributes:
        key: its name in the answer.
        weight: of each of its values.
        size: how many values it is counted as; a function of the variables where they decide.
        when: conditions of which one must hold, each a conjunction; empty where it is always selected.
        kinds: what is selected below it, for each kind of object that it may have.
        below: the same by key, for whatever kind an object turns out to be.
        fixed: the cost, where no variable changes it.
        each: what every object below costs, where that is the same for all and needs no look at them.
        texts: what texts of the database cost that were seen lately, by their hash.
    """

    key: str
    weight: int
    size: Size = 1
    when: tuple[_Held, ...] = ()
    kinds: Sequence[Sequence[_Priced]] = ()
    below: Sequence[tuple[str, Sequence[_Priced]]] = ()
    fixed: int | None = None
    each: int | None = attribute(default=None)
    texts: dict[tuple[bool, int], int] = attribute(default_factory=dict)

    def requested(self, given: Given) -> int:
        if self.fixed is not None:
            return self.fixed
        if self.when and not any(_holds(condition, given) for condition in self.when):
            return 0
        inner = max((sum(one.requested(given) for one in kind) for kind in self.kinds), default=0)
        count = self.size if isinstance(self.size, int) else max(self.size(given), 1)
        return min(count * (self.weight + inner), BEYOND)

    def actual(self, value: Any) -> int:
        if type(value) is Fragment:
            return self._of_text(value, self.actual, is_item=False)
        if type(value) is list:
            count = len(value) or 1
            if self.each is not None:
                return count * self.weight + len(value) * self.each
            return count * self.weight + sum(self._item(one) for one in value)
        return self.weight if value is None else self.weight + _measured(self.below, value)

    def _item(self, value: Any) -> int:
        if type(value) is Fragment and self.below:
            return self._of_text(value, self._item, is_item=True)
        return _measured(self.below, value)

    def _of_text(self, written: Fragment, cost: Callable[[Any], int], *, is_item: bool) -> int:
        """Return the cost of what the database wrote: the lengths of lists are in the text, and it comes again."""
        text = orjson.dumps(written)
        # Python's hash of bytes has a secret, so that nobody can make two texts alike.
        key = (is_item, hash(text))
        known = self.texts.get(key)
        if known is None:
            if len(self.texts) >= _MOST_TEXTS:
                self.texts.clear()
            known = self.texts[key] = cost(orjson.loads(text))
        return known


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The price of one operation.

    Attributes:
        fields: every declared field that it may read.
        introspects: whether it asks for the schema, or for something that is not declared.
    """

    fields: frozenset[DeclaredField]
    introspects: bool
    _root: _Priced | None
    _defaults: Mapping[str, Any]
    _names: tuple[str, ...]
    _known: dict[tuple[Any, ...], int] = attribute(default_factory=dict)

    def requested(self, variables: Given) -> int:
        """Return what the operation costs at most, as far as anybody can tell before it runs.

        Args:
            variables: as the client sent them; whether they fit is found out later.
        """
        if self._root is None:
            return BEYOND
        if self._root.fixed is not None:
            return max(self._root.fixed, 1)
        values = tuple([variables.get(name, _ABSENT) for name in self._names])
        try:
            known = self._known.get(values)
        except TypeError:
            # A list, or an object with one, is counted each time.
            return max(self._root.requested({**self._defaults, **variables}), 1)
        if known is None:
            known = max(self._root.requested({**self._defaults, **variables}), 1)
            if len(self._known) < _MOST_KNOWN:
                self._known[values] = known
        return known

    def actual(self, data: Mapping[str, Any] | None) -> int:
        """Return what the operation cost, by what its lists had."""
        if self._root is None:
            return BEYOND
        return max(_measured(self._root.below, data), 1)


def price(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> OperationCost:
    """Return the price of an operation of a valid document."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    pricing = _Pricing(schema, fragments)
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101 - A valid document has no operation of a kind that the schema has not.
    try:
        found = pricing.fill(_Priced("", 0), [(root, [(operation.selection_set, frozenset())])], {})
    except _TooLargeError:
        found = None
    defaults = {
        each.variable.name.value: value_from_ast_untyped(each.default_value)
        for each in operation.variable_definitions or ()
        if each.default_value is not None
    }
    return OperationCost(
        frozenset(pricing.fields), pricing.undeclared, found, defaults, tuple(sorted(pricing.variables))
    )


class _Pricing:
    """Builds the priced fields of one operation."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._left = MOST_FIELDS
        self._weighed: dict[int, tuple[int, ListSize | None]] = {}
        self.fields: set[DeclaredField] = set()
        self.undeclared = False
        self.variables: set[str] = set()

    def fill(self, priced: _Priced, selected: Iterable[_Selected], sized: Mapping[str, Size]) -> _Priced:
        """Give a field what is selected below it, for each kind of object; `sized` are the lengths of its lists."""
        known: dict[Any, _Priced] = {}
        kinds = []
        for kind, sets in selected:
            found: dict[str, _Occurrences] = {}
            for selection_set, held in sets:
                self._collect(kind, selection_set, held, found, set())
            below = [self._field(kind, name, occurrences, known, sized) for name, occurrences in found.items()]
            kinds.append([one for one in below if one is not None])
        priced.kinds = kinds
        return _finished(priced)

    def _collect(
        self,
        kind: GraphQLObjectType,
        selections: SelectionSetNode,
        held: _Held,
        found: dict[str, _Occurrences],
        seen: set[tuple[str, _Held]],
    ) -> None:
        """Collect the fields of a selection for one kind of object, as "CollectFields" of the specification."""
        for selection in selections.selections:
            conditions = _conditions(selection, held)
            if conditions is None:
                continue
            self.variables.update(name for name, _ in conditions)
            if isinstance(selection, FieldNode):
                self._left -= 1
                if self._left < 0:
                    raise _TooLargeError
                name = (selection.alias or selection.name).value
                found.setdefault(name, []).append((selection, conditions))
                continue
            below = self._fragment(kind, selection, conditions, seen)
            if below is not None:
                self._collect(kind, below, conditions, found, seen)

    def _fragment(
        self, kind: GraphQLObjectType, selection: SelectionNode, held: _Held, seen: set[tuple[str, _Held]]
    ) -> SelectionSetNode | None:
        fragment: FragmentDefinitionNode | InlineFragmentNode | None = None
        if isinstance(selection, InlineFragmentNode):
            fragment = selection
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if (name, held) not in seen:
                seen.add((name, held))
                fragment = self._fragments.get(name)
        if fragment is None:
            return None
        if fragment.type_condition is not None:
            condition = self._schema.get_type(fragment.type_condition.name.value)
            abstract = condition is not None and is_abstract_type(condition)
            if condition is not kind and not (abstract and self._schema.is_sub_type(condition, kind)):  # type: ignore[arg-type]
                return None
        return fragment.selection_set

    def _field(
        self,
        kind: GraphQLObjectType,
        key: str,
        occurrences: _Occurrences,
        known: dict[Any, _Priced],
        sized: Mapping[str, Size],
    ) -> _Priced | None:
        node = occurrences[0][0]
        name = node.name.value
        definition = kind.fields.get(name)
        if definition is None:
            self.undeclared = self.undeclared or name != "__typename"
            return None
        declared = definition.extensions.get("strawberry-definition")
        if isinstance(declared, DeclaredField):
            self.fields.add(declared)
        else:
            self.undeclared = True
        if id(definition) not in self._weighed:
            self._weighed[id(definition)] = _directives(declared, definition)
        weight, own = self._weighed[id(definition)]
        size = sized.get(name, 1)
        below: dict[str, Size] = {}
        if own is not None:
            length, varying = length_of(own, definition, node)
            self.variables |= varying
            if own.sized_fields:
                below = dict.fromkeys(own.sized_fields, length)
            else:
                size = length
        named = get_named_type(definition.type)
        identity = (key, id(named), weight, tuple((id(each), held) for each, held in occurrences), said(own))
        if identity not in known:
            priced = _Priced(key, weight, size, _when(occurrences))
            known[identity] = self.fill(priced, self._selected(named, occurrences), below)
        return known[identity]

    def _selected(self, named: Any, occurrences: _Occurrences) -> Iterator[_Selected]:
        if not is_composite_type(named):
            return
        sets = [(node.selection_set, held) for node, held in occurrences if node.selection_set is not None]
        kinds = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]
        for kind in kinds:
            if isinstance(kind, GraphQLObjectType):
                yield kind, sets


def _finished(priced: _Priced) -> _Priced:
    """Fill in what follows from the rest: what is the same for all variables, and for all objects."""
    alternatives: dict[str, list[_Priced]] = {}
    for kind in priced.kinds:
        for one in kind:
            found = alternatives.setdefault(one.key, [])
            if all(one is not other for other in found):
                found.append(one)
    # Where nothing below costs anything there is nothing to look for in an answer.
    priced.below = tuple((key, found) for key, found in alternatives.items() if any(map(_matters, found)))
    settled = not priced.when and isinstance(priced.size, int)
    if settled and all(one.fixed is not None for kind in priced.kinds for one in kind):
        priced.fixed = priced.requested({})
    if len(priced.kinds) <= 1:
        always = [one for _, found in priced.below for one in found]
        if all(not one.when and one.size == 1 and not one.below and not one.kinds for one in always):
            priced.each = sum(one.weight for one in always)
    return priced


def _matters(priced: _Priced) -> bool:
    return priced.weight > 0 or bool(priced.below)


def _measured(below: Sequence[tuple[str, Sequence[_Priced]]], value: Any) -> int:
    if type(value) is not dict:
        return 0
    cost = 0
    for key, alternatives in below:
        if key in value:
            found = value[key]
            cost += (
                alternatives[0].actual(found)
                if len(alternatives) == 1
                else max(one.actual(found) for one in alternatives)
            )
    return cost


def _directives(declared: Any, definition: GraphQLField) -> tuple[int, ListSize | None]:
    weight = 1 if is_composite_type(get_named_type(definition.type)) else 0
    size = None
    for directive in getattr(declared, "directives", ()):
        if isinstance(directive, Cost):
            weight = int(directive.weight)
        elif isinstance(directive, ListSize):
            size = directive
    return weight, size


def _conditions(selection: SelectionNode, held: _Held) -> _Held | None:
    """Return the conditions of a selection with those above it; None where it is never selected."""
    found = set(held)
    for directive in selection.directives or ():
        wanted = {"skip": False, "include": True}.get(directive.name.value)
        if wanted is None:
            continue
        value = _if(directive)
        if isinstance(value, VariableNode):
            found.add((value.name.value, wanted))
        elif getattr(value, "value", None) is not wanted:
            return None
    return frozenset(found)


def _if(directive: DirectiveNode) -> ValueNode | None:
    return next((each.value for each in directive.arguments or () if each.name.value == "if"), None)


def _when(occurrences: _Occurrences) -> tuple[_Held, ...]:
    found = {held for _, held in occurrences}
    return () if frozenset() in found else tuple(found)


def _holds(condition: _Held, given: Given) -> bool:
    return all(bool(given.get(name)) is wanted for name, wanted in condition)
