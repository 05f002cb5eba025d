"""The compiled executor: an operation becomes Python code once, and runs without parsing, validation or field calls.

    compiled = compile_operation(schema, parse(text), "Home")   # at registration; the document must be valid
    answer = await compiled.execute(context, variables)          # per request
    orjson.dumps({"data": answer.data})

How it works is told in `docs/execution.md`. What cannot be compiled is refused with `UnsupportedOperationError`, whose
message is the reason; the caller lets graphql-core execute it then. The answers of the two are the same.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution.values import VariableValues
from graphql.language import REMOVE, DirectiveNode, Visitor, visit
from strawberry import Schema

from core.selections import Total, Written
from execution.arguments import Arguments
from execution.describe import OperationDescription, describe
from execution.fields import BatchField
from execution.generation import Generator, Namespace
from execution.inputs import Converters
from execution.plan import Call, FieldPlan, Segment, build_segments
from execution.running import Answer, CompiledSegment, PreparedCall, Run, Variant, WritingError
from execution.shortcuts import shortcut
from execution.support import UnsupportedOperationError, check_schema, conditions, find_operation
from execution.variables import Variables
from execution.writing import Plan as WritingPlan, Writing, plan

__all__ = ["Answer", "CompiledOperation", "UnsupportedOperationError", "compile_operation"]

MOST_VARIANTS = 64
_NO_VARIABLES = VariableValues({}, {})
_NOTHING: Mapping[PreparedCall, Written] = MappingProxyType({})
_LOG = logging.getLogger(__name__)


class CompiledOperation:
    """An operation that can be executed any number of times, by any number of requests of one event loop.

    Attributes:
        name: of the operation, or None.
        source: the generated code, with every field that the conditions may leave out.
    """

    def __init__(
        self, schema: Schema, document: DocumentNode, operation_name: str | None, *, write: bool = True
    ) -> None:
        check_schema(schema)
        self._strawberry = schema
        self._schema = graphql_core(schema)
        self._operation = find_operation(document, operation_name)
        self._fragments = _fragments(document)
        # A change is told to those who wait for it by rows; and it is not what is asked for all day.
        self._writes = write and self._operation.operation is OperationType.QUERY
        self._conditions = conditions(self._operation, self._fragments)
        self._variables = Variables(self._schema, self._operation.variable_definitions or ())
        self._variants: OrderedDict[tuple[Any, ...], Variant] = OrderedDict()
        self.name = self._operation.name.value if self._operation.name else None
        # What is compiled here is everything that any request may ask for: if it can be, every variant can be.
        whole = _without_conditions(document) if self._conditions else document
        full = _Compiler(self._strawberry, find_operation(whole, operation_name), _fragments(whole)).variant(
            _NO_VARIABLES, write=self._writes
        )
        if not self._conditions:
            self._variants[(self._writes,)] = full
        self._full = full
        self.source = full.source

    async def execute(self, context: Any, variables: dict[str, Any] | None = None, root: Any = None) -> Answer:
        """Execute the operation.

        Args:
            context: of the request; policies, resolvers and commands get it.
            variables: as the client sent them.
            root: the root value; resolvers at the root get it as their parent.
        """
        coerced = self._variables.coerce(variables)
        if isinstance(coerced, list):
            return Answer(None, coerced, refused=True)
        variant = self._variant(coerced, write=self._writes)
        if variant.failure is not None:
            return Answer(None, [variant.failure])
        if variant.writings:
            # Whoever keeps the answer looks at the rows that it is made of, which JSON does not show.
            written = None if _is_watched(context) else variant.prepare(context, coerced)
            if written is not None:
                try:
                    return await self._answer(variant, context, coerced, root, written)
                except WritingError:
                    name = self.name or "an operation without a name"
                    _LOG.exception("The database did not write what it should for %s", name)
                    answer = await self._answer(self._variant(coerced, write=False), context, coerced, root)
                    answer.rewritten = True
                    return answer
            variant = self._variant(coerced, write=False)
        return await self._answer(variant, context, coerced, root)

    async def _answer(
        self,
        variant: Variant,
        context: Any,
        variables: VariableValues,
        root: Any,
        written: Mapping[PreparedCall, Written] = _NOTHING,
    ) -> Answer:
        known: dict[PreparedCall, Sequence[Any]] = {}
        shorter = variant.shortcut
        if shorter is not None and not _is_watched(context):
            found = await shorter.answer(context, variables, root, written.get(shorter.call))
            if isinstance(found, Answer):
                return found
            if found is not None:
                known[shorter.call] = found
        run = Run(self._schema, self._operation, self._fragments, variant, context, variables, root, written, known)
        return await run.all()

    def describe(self) -> OperationDescription:
        """Return the plan: levels, calls, columns and policies, with every field that conditions may leave out."""
        return describe(self.name, self._operation.operation, [each.segment for each in self._full.segments])

    def _variant(self, variables: VariableValues, *, write: bool) -> Variant:
        """Return the variant for the conditions of a request; compile it when it is met for the first time."""
        values = variables.coerced
        key = (write, *[values.get(name) for name in self._conditions]) if self._conditions else (write,)
        variant = self._variants.get(key)
        if variant is None:
            variant = _Compiler(self._strawberry, self._operation, self._fragments).variant(variables, write=write)
            self._variants[key] = variant
            if len(self._variants) > MOST_VARIANTS:
                self._variants.popitem(last=False)
        elif len(self._variants) == MOST_VARIANTS:
            self._variants.move_to_end(key)
        return variant


def compile_operation(
    schema: Schema | GraphQLSchema, document: DocumentNode, operation_name: str | None = None, *, write: bool = True
) -> CompiledOperation:
    """Compile an operation of a document that is valid against the schema.

    Args:
        schema: that the document is valid against.
        document: with the operation.
        operation_name: which of its operations, if there are several.
        write: whether the database may write what it can as JSON.

    Raises:
        UnsupportedOperationError: it cannot be compiled; the message says why.
    """
    if isinstance(schema, Schema):
        return CompiledOperation(schema, document, operation_name, write=write)
    found: Schema | None = getattr(schema, "_strawberry_schema", None)
    if found is None:
        raise UnsupportedOperationError("the schema was not made by Strawberry")
    return CompiledOperation(found, document, operation_name, write=write)


def graphql_core(schema: Schema) -> GraphQLSchema:
    """Return the schema that Strawberry made for graphql-core."""
    return schema._schema  # noqa: SLF001 - There is no other way to it.


def _is_watched(context: Any) -> bool:
    return getattr(context, "observe", None) is not None


class _Compiler:
    """Makes a variant of an operation: plan, code, functions."""

    def __init__(
        self, schema: Schema, operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = fragments
        self._space = Namespace()
        self._fields: dict[int, FieldPlan] = {}

    def variant(self, variables: VariableValues, *, write: bool) -> Variant:
        planned = plan if write else None
        try:
            segments = build_segments(graphql_core(self._schema), self._operation, self._fragments, variables, planned)
        except GraphQLError as error:
            return Variant((), {}, "", failure=error)
        generators = [Generator(segment, self._space) for segment in segments]
        source = "\n\n".join(generator.write() for generator in generators)
        names = self._space.names
        name = self._operation.name.value if self._operation.name else "anonymous"
        exec(compile(source, f"<operation {name}>", "exec"), names)  # noqa: S102 - Only our own generator writes it.
        parts = [self._segment(segment, generator) for segment, generator in zip(segments, generators, strict=True)]
        calls = (call for part in parts for level in part.levels for call in level)
        writings = [(call, call.writing) for call in calls if call.writing]
        return Variant(parts, self._fields, source, writings, shortcut(parts, [each.plain for each in generators]))

    def _segment(self, segment: Segment, generator: Generator) -> CompiledSegment:
        names = self._space.names
        config = self._schema.config
        converters = Converters(config, self._schema.schema_converter.scalar_registry)
        for field in segment.all_fields():
            self._fields[field.number] = field
        levels = [
            [
                PreparedCall(
                    call.declared, call.fields, Arguments(call, config, converters), self._writing(call, converters)
                )
                for call in level
            ]
            for level in segment.levels
        ]
        return CompiledSegment(
            segment,
            names[generator.root],
            {number: names[name] for number, name in generator.completions.items()},
            levels,
            {field.number: call for level in levels for call in level for field in call.fields},
        )

    def _writing(self, call: Call, converters: Converters) -> Writing | None:
        planned: WritingPlan | None = call.written
        if planned is None:
            return None
        relations = []
        for field, prefix in planned.relations:
            declared = field.declared
            assert isinstance(declared, BatchField)  # noqa: S101 - Only these have relations.
            relation = declared.relation
            assert relation is not None and not isinstance(relation, Total)  # noqa: S101, PT018 - It was met.
            arguments = Arguments(Call(declared, [field]), self._schema.config, converters)
            relations.append((relation, prefix, arguments))
        constant = None if relations else Written(planned.selection)
        return Writing(planned.selection, relations, list(planned.policies), constant)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


class _Conditions(Visitor):
    def enter_directive(self, node: DirectiveNode, *_: Any) -> Any:
        return REMOVE if node.name.value in {"skip", "include"} else None


def _without_conditions(document: DocumentNode) -> DocumentNode:
    bare: DocumentNode = visit(document, _Conditions())
    return bare
