"""From a text to operations that are ready to run: parsed, measured and validated once, then remembered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    specified_rules,
    visit,
)
from strawberry.schema.schema import validate_document

from core.errors import InvalidArgumentError
from database.tables.operations import OperationKind
from execution.caching import kept
from execution.costs import OperationCost, price
from execution.directives import CacheHint
from gateway.bounded import BoundedCache
from gateway.executors import Executor, Plan
from gateway.limits import MOST_TOKENS, Size, check_text, measure, too_deep
from gateway.refusals import DocumentLimitError, InvalidDocumentError, RefusedError

_INTROSPECTION = ("__schema", "__type")


class Operation:
    """One operation of a valid document.

    Attributes:
        name: its name in the document, if it has one.
        kind: what it does.
        variables: names of those that it has.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode) -> None:
        self.name = definition.name.value if definition.name else None
        self.kind = OperationKind(definition.operation.value)
        self.variables = frozenset(each.variable.name.value for each in definition.variable_definitions or ())
        self._schema = schema
        self._document = document
        self._definition = definition
        self._plan: Plan | None = None

    def plan(self, executor: Executor) -> Plan:
        """Return how it is run; made at its first run and kept, since a process has one executor."""
        if self._plan is None:
            self._plan = executor.plan(self._document, self.name)
        return self._plan

    @cached_property
    def cost(self) -> OperationCost:
        """What it costs, by its variables."""
        return price(self._schema, self._document, self._definition)

    @cached_property
    def hint(self) -> CacheHint | None:
        """How long its answers may be kept; None for what may not be."""
        if self.kind is not OperationKind.QUERY or self.cost.introspects:
            return None
        return kept(self.cost.fields)


class Document:
    """A text that parses, keeps to the limits and is valid for the schema.

    Attributes:
        text: as it was sent or registered.
        sha256: of the text, in hexadecimal.
        size: what was measured.
        introspects: whether it asks for the schema.
        operations: all of them.
    """

    def __init__(self, schema: GraphQLSchema, text: str, tree: DocumentNode, size: Size) -> None:
        self.text = text
        self.sha256 = sha256(text)
        self.size = size
        self.tree = tree
        self.introspects = _introspects(tree)
        self.operations = [
            Operation(schema, tree, each) for each in tree.definitions if isinstance(each, OperationDefinitionNode)
        ]

    def operation(self, name: str | None) -> Operation:
        """Return the operation to run.

        Raises:
            InvalidArgumentError: there are several, and none is named.
            UnknownOperationError: there is none of that name.
        """
        if name is None:
            if len(self.operations) > 1:
                raise InvalidArgumentError("A document with several operations needs an `operationName`.")
            return self.operations[0]
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise UnknownOperationError("The document has no operation of the name that `operationName` gives.")


class UnknownOperationError(RefusedError):
    """The document does not have the operation that is named."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a text is no document, remembered without the frames in which it was found out."""

    limit: str | None = None
    errors: list[GraphQLError] = field(default_factory=list)


class Documents:
    """Prepares documents for one schema, and remembers those it prepared last, the wrong ones included.

    Args:
        schema: what they must be valid for.
        most: how many are remembered; their texts are bounded by the limits.
    """

    def __init__(self, schema: strawberry.Schema, most: int) -> None:
        self._schema = schema
        self._known: BoundedCache[str, Document | _Refusal] = BoundedCache(most)

    def prepare(self, text: str) -> Document:
        """Return the document of a text.

        Raises:
            DocumentLimitError: it is too large.
            InvalidDocumentError: it does not parse or is not valid.
        """
        check_text(text)
        found = self._known.get(text)
        if found is None:
            try:
                found = self._prepared(text)
            except DocumentLimitError as refused:
                found = _Refusal(limit=str(refused))
            except InvalidDocumentError as refused:
                found = _Refusal(errors=[error.with_traceback(None) for error in refused.errors])
            self._known.put(text, found)
        if isinstance(found, Document):
            return found
        raise DocumentLimitError(found.limit) if found.limit is not None else InvalidDocumentError(found.errors)

    def _prepared(self, text: str) -> Document:
        try:
            tree = parse(text, max_tokens=MOST_TOKENS)
        except RecursionError as error:
            raise too_deep() from error
        except GraphQLError as error:
            if "tokens" in error.message:
                raise DocumentLimitError(error.message) from error
            raise InvalidDocumentError([error]) from error
        size = measure(tree, len(text))
        size.check()
        try:
            errors = validate_document(self._schema._schema, tree, tuple(specified_rules))  # noqa: SLF001 - no other name.
        except RecursionError as error:
            raise too_deep() from error
        if errors:
            raise InvalidDocumentError(errors)
        # Validation refuses what has no operation: fragments that nobody uses, and definitions of types.
        return Document(self._schema._schema, text, tree, size)  # noqa: SLF001 - as above.

    def coordinates(self, document: Document) -> list[str]:
        """Return what of the schema a document needs, as schema coordinates: fields and arguments, sorted."""
        found: set[str] = set()
        info = TypeInfo(self._schema._schema)  # noqa: SLF001 - as above.
        visit(document.tree, TypeInfoVisitor(info, _Coordinates(info, found)))
        return sorted(found)


class _Coordinates(Visitor):
    """Collects the coordinates of fields, arguments and fields of literal inputs."""

    def __init__(self, info: TypeInfo, found: set[str]) -> None:
        super().__init__()
        self._info = info
        self._found = found
        self._fields: list[str] = []

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Collect a field."""
        parent = self._info.get_parent_type()
        name = node.name.value
        internal = parent is None or name.startswith("__") or parent.name.startswith("__")
        self._fields.append("" if internal or parent is None else f"{parent.name}.{name}")
        if self._fields[-1]:
            self._found.add(self._fields[-1])

    def leave_field(self, *_: object) -> None:
        """Leave it."""
        self._fields.pop()

    def enter_argument(self, node: object, *_: object) -> None:
        """Collect an argument of a field; those of directives are the language's own."""
        argument = self._info.get_argument()
        if argument is not None and self._info.get_directive() is None and self._fields and self._fields[-1]:
            self._found.add(f"{self._fields[-1]}({getattr(node, 'name').value}:)")  # noqa: B009 - untyped visitor.

    def enter_object_field(self, node: object, *_: object) -> None:
        """Collect a field of an input that is written in the document."""
        parent = get_named_type(self._info.get_parent_input_type())
        if parent is not None:
            self._found.add(f"{parent.name}.{getattr(node, 'name').value}")  # noqa: B009 - as above.


def sha256(text: str) -> str:
    """Return the hash that clients call an operation by."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _introspects(tree: DocumentNode) -> bool:
    found = False

    class Look(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            nonlocal found
            found = found or node.name.value in _INTROSPECTION

    visit(tree, Look())
    return found
