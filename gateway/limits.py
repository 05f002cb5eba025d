"""Limits on documents, measured on the syntax tree before anything is validated or executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.refusals import DocumentLimitError

MOST_BODY_BYTES = 1_000_000
MOST_CHARACTERS = 20_000
MOST_TOKENS = 2_000
MOST_FRAGMENTS = 50
MOST_ALIASES = 50
MOST_DIRECTIVES = 50
BROADEST_SELECTION = 200
DEEPEST_QUERY = 15


@dataclass(frozen=True, slots=True)
class Size:
    """How large a document is, wherever its fragments bring what they bring.

    Attributes:
        characters: length of the text.
        fragments: number of fragments.
        directives: number of directives, each counted where it is written.
        depth: how many fields lie below one another.
        aliases: number of aliases of an operation.
        breadth: most fields of one selection, by the names they have in the answer.
    """

    characters: int
    fragments: int
    directives: int
    depth: int
    aliases: int
    breadth: int

    def check(self) -> None:
        """Refuse what is too large.

        Raises:
            DocumentLimitError: the message names the limit.
        """
        if self.fragments > MOST_FRAGMENTS:
            raise DocumentLimitError(f"A document may have at most {MOST_FRAGMENTS} fragments.")
        if self.directives > MOST_DIRECTIVES:
            raise DocumentLimitError(f"A document may have at most {MOST_DIRECTIVES} directives.")
        if self.depth > DEEPEST_QUERY:
            raise too_deep()
        if self.aliases > MOST_ALIASES:
            raise DocumentLimitError(
                f"A document may have at most {MOST_ALIASES} aliases, counted wherever fragments bring them."
            )
        if self.breadth > BROADEST_SELECTION:
            raise DocumentLimitError(f"A selection may have at most {BROADEST_SELECTION} fields.")


def too_deep() -> DocumentLimitError:
    """Return the refusal of a document that reaches too deep."""
    return DocumentLimitError(f"A document may be at most {DEEPEST_QUERY} fields deep.")


def check_text(text: str) -> None:
    """Refuse a text before it is even hashed or parsed.

    Raises:
        DocumentLimitError: it is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise DocumentLimitError(f"A document may be at most {MOST_CHARACTERS} characters long.")


def measure(document: DocumentNode, characters: int) -> Size:
    """Return the size of a document; the work is bounded by the size of its text, whatever its fragments spread."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    walk = _Walk(fragments if len(fragments) <= MOST_FRAGMENTS else {})
    measured = [walk.of(operation.selection_set, 0) for operation in operations]
    return Size(
        characters=characters,
        fragments=len(fragments),
        directives=sum(_directives(document)),
        depth=max((each.depth for each in measured), default=0),
        aliases=max((each.aliases for each in measured), default=0),
        breadth=walk.breadth,
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """A selection: how deep it reaches, its aliases, and the names of its own fields."""

    depth: int = 0
    aliases: int = 0
    names: frozenset[str] = frozenset()


_NOTHING = _Measured()


class _Walk:
    """Measures selections; each fragment is measured once, however often it is spread."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Measured] = {}
        self.breadth = 0

    def of(self, selections: SelectionSetNode | None, above: int) -> _Measured:
        """Return what a selection set comes to.

        Args:
            selections: of a field, a fragment or an operation.
            above: how many levels the walk has come down; it goes no further than the limit.
        """
        if selections is None:
            return _NOTHING
        if above > DEEPEST_QUERY:
            return _Measured(depth=1)
        depth = aliases = 0
        names: set[str] = set()
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                found = self._of_field(selection, above)
            elif isinstance(selection, FragmentSpreadNode):
                found = self._of_fragment(selection.name.value)
            else:
                found = self.of(getattr(selection, "selection_set", None), above)
            depth, aliases = max(depth, found.depth), aliases + found.aliases
            names |= found.names
        self.breadth = max(self.breadth, len(names))
        return _Measured(depth, aliases, frozenset(names))

    def _of_field(self, selection: FieldNode, above: int) -> _Measured:
        below = self.of(selection.selection_set, above + 1)
        # Introspection is deep by nature, and bounded by the schema.
        depth = 1 if selection.name.value.startswith("__") else below.depth + 1
        name = selection.alias or selection.name
        return _Measured(depth, below.aliases + (selection.alias is not None), frozenset({name.value}))

    def _of_fragment(self, name: str) -> _Measured:
        if name not in self._known:
            # A fragment that spreads itself is refused by validation; here it only must end.
            self._known[name] = _NOTHING
            fragment = self._fragments.get(name)
            if fragment is not None:
                self._known[name] = self.of(fragment.selection_set, 0)
        return self._known[name]


def _directives(document: DocumentNode) -> Iterator[int]:
    waiting: list[SelectionSetNode] = []
    for definition in document.definitions:
        yield len(getattr(definition, "directives", None) or ())
        for variable in getattr(definition, "variable_definitions", None) or ():
            yield len(variable.directives or ())
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            waiting.append(definition.selection_set)
    while waiting:
        for selection in waiting.pop().selections:
            yield len(selection.directives or ())
            if isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set is not None:
                waiting.append(selection.selection_set)
