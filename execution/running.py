"""One execution of a compiled operation: level by level, each call once, then the places of its values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field as attribute
from typing import TYPE_CHECKING, Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from strawberry.exceptions import WrongNumberOfResultsReturned

from core.errors import ClientError, UnavailableError
from core.selections import Written
from execution.arguments import Arguments
from execution.completion import Completion
from execution.fields import BatchField, CommandField
from execution.places import places
from execution.plan import FieldPlan, Segment, Selection
from execution.policies import Policy
from execution.values import AbnormalError
from execution.writing import Writing

if TYPE_CHECKING:
    from execution.shortcuts import Shortcut

Homes = list[tuple[Any, dict[str, Any]]]
"""Objects whose field a later level answers: the parent that the resolver is given, and its part of the response."""


@dataclass(slots=True)
class Answer:
    """The result of an operation.

    Attributes:
        data: ready to be written as JSON; None when a null reached the root, or when nothing was executed.
        errors: in the order that they were found.
        refused: whether the variables did not fit: then nothing was executed, and a response has no `data` at all.
        detours: how many completions were not normal, and took the slow way.
        rewritten: whether rows that should have come as JSON could not be had, and everything was done again without.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLError]
    refused: bool = False
    detours: int = 0
    rewritten: bool = False


class WritingError(Exception):
    """Rows could not be had as JSON, for a reason that is nobody's but ours."""


@dataclass(eq=False, frozen=True, slots=True)
class PreparedCall:
    """A call with what makes its arguments.

    Attributes:
        declared: what is called, and under which policy.
        fields: the places that it answers.
        arguments: makes them from the variables.
        writing: what is asked for as JSON; None for plain rows.
    """

    declared: BatchField | CommandField
    fields: Sequence[FieldPlan]
    arguments: Arguments
    writing: Writing | None = None


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """A segment with its generated functions.

    Attributes:
        segment: the plan.
        root: answers the root selection: its part of the response, and the homes of the first level.
        completions: put a call's values in the places of a field, by the field's number.
        levels: the calls, level by level.
        calls: that answer a field, by the field's number.
    """

    segment: Segment
    root: Callable[[Run, Any], tuple[dict[str, Any], dict[int, Homes]]]
    completions: Mapping[int, Callable[[Run, Homes, Sequence[Any]], dict[int, Homes]]]
    levels: Sequence[Sequence[PreparedCall]]
    calls: Mapping[int, PreparedCall]


@dataclass(frozen=True, slots=True)
class Variant:
    """An operation under one combination of its conditions.

    Attributes:
        segments: what runs, one after another.
        fields: every field of the plan, by its number.
        source: the generated code.
        writings: the calls of which something is written.
        shortcut: the short way, for what has one.
        failure: why the root selection cannot be told, if so; nothing runs then.
    """

    segments: Sequence[CompiledSegment]
    fields: Mapping[int, FieldPlan]
    source: str
    writings: Sequence[tuple[PreparedCall, Writing]] = ()
    shortcut: Shortcut | None = None
    failure: GraphQLError | None = None

    def prepare(self, context: Any, variables: VariableValues) -> dict[PreparedCall, Written] | None:
        """Return what is written for a request; None when it has to be answered without."""
        found: dict[PreparedCall, Written] = {}
        for call, writing in self.writings:
            written = writing.prepare(context, variables)
            if written is None:
                return None
            found[call] = written
        return found


class Infos(dict[int, GraphQLResolveInfo[Any]]):
    """What type resolvers are told, by the number of the field; made when one asks.

    The path has no places in lists: it is the same for all objects of a field.
    """

    def __init__(self, run: Run, make: Callable[[Run, int], GraphQLResolveInfo[Any]]) -> None:
        super().__init__()
        self._run = run
        self._make = make

    def __missing__(self, number: int) -> GraphQLResolveInfo[Any]:
        info = self[number] = self._make(self._run, number)
        return info


@dataclass(slots=True)
class Run:
    """The state of one execution. Generated code uses `infos`, `kinds`, `allowed` and `require`.

    What is `known` of a call already is not asked for again.
    """

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variant: Variant
    context: Any
    variables: VariableValues
    root_value: Any
    written: Mapping[PreparedCall, Written] = attribute(default_factory=dict)
    known: Mapping[PreparedCall, Sequence[Any]] = attribute(default_factory=dict)
    errors: list[GraphQLError] = attribute(default_factory=list)
    data: dict[str, Any] | None = attribute(default_factory=dict)
    detours: int = 0
    unwritten: bool = False
    allowed: set[str] = attribute(default_factory=set)
    kinds: list[tuple[dict[str, Any], Selection]] = attribute(default_factory=list)
    homes: defaultdict[int, Homes] = attribute(default_factory=lambda: defaultdict(list))
    _infos: Infos | None = None
    _pruned: bool = False
    _calls: Mapping[int, PreparedCall] = attribute(default_factory=dict)
    _arguments: dict[PreparedCall, dict[str, Any]] = attribute(default_factory=dict)

    @property
    def infos(self) -> Infos:
        """What type resolvers are told; made when the first one asks."""
        if self._infos is None:
            self._infos = Infos(self, _make_info)
        return self._infos

    def require(self, name: str, policy: Policy) -> None:
        """Let generated code read columns for the length of a completion, if their policy allows it.

        Raises:
            AbnormalError: it does not; the slow way tells each field of it.
        """
        if policy.check is not None and policy.check(self.context) is not None:
            raise AbnormalError
        self.allowed.add(name)

    def info(self, field: FieldPlan) -> GraphQLResolveInfo[Any]:
        """Return what type resolvers are told."""
        return self.infos[field.number]

    def defer(self, field: FieldPlan, parent: Any, part: dict[str, Any]) -> None:
        """Remember an object whose field the next level answers."""
        self.homes[field.number].append((parent, part))

    def remember_kind(self, part: dict[str, Any], selection: Selection) -> None:
        """Remember the selection of an object of an abstract type."""
        self.kinds.append((part, selection))

    async def all(self) -> Answer:
        """Run every segment and return the answer.

        Raises:
            WritingError: what should have been written was not; run it without.
        """
        try:
            for segment in self.variant.segments:
                await self._segment(segment)
                if self.data is None:
                    break
        finally:
            # They refer to this run and it to them: without this, everything that a request made would wait for the
            # garbage collector.
            self._infos = None
        if self.unwritten:
            raise WritingError
        return Answer(self.data, self.errors, detours=self.detours)

    async def _segment(self, compiled: CompiledSegment) -> None:
        self.homes.clear()
        self._pruned = False
        await self._root(compiled)
        for level in compiled.levels:
            if self.data is None:
                return
            if self._pruned:
                self._forget_nulled(compiled.segment.root)
            for call in level:
                for field, homes, values in await self._call(call):
                    if self.data is not None and not self._completed(compiled, field, homes, values):
                        await self._complete_slowly(compiled.segment.root, field, homes, values)

    async def _root(self, compiled: CompiledSegment) -> None:
        assert self.data is not None  # noqa: S101 - A run ends as soon as it is.
        self._calls = compiled.calls
        self.allowed.clear()
        try:
            part, homes = compiled.root(self, self.root_value)
            self._await_next_level(homes)
        except Exception:  # noqa: BLE001 - The slow way finds out what it was.
            self._detour()
            try:
                part = await Completion(self).selection(compiled.segment.root, self.root_value, ())
            except GraphQLError as error:
                self.errors.append(error)
                self.data = None
                return
        if not self.data:
            self.data = part
            return
        # A later field of a mutation: what it still waits for belongs to the response, which the part is merged into.
        self.data |= part
        for number, found in self.homes.items():
            self.homes[number] = [(parent, self.data if home is part else home) for parent, home in found]

    def _await_next_level(self, homes: dict[int, Homes]) -> None:
        """Remember what waits for the next level; its arguments and policies are looked at now, as graphql-core does.

        Raises:
            Exception: a call was refused or its arguments do not fit; the slow way tells each field of it.
        """
        for number, found in homes.items():
            if found and (error := self._refusal(self._calls[number])) is not None:
                raise error
        self.homes.update(homes)

    def refusal(self, field: FieldPlan) -> Exception | None:
        """Return why a field of a batch resolver or a command cannot be asked for, whatever the parent."""
        return self._refusal(self._calls[field.number])

    def _refusal(self, call: PreparedCall) -> Exception | None:
        if call not in self._arguments:
            try:
                self._arguments[call] = call.arguments.bind(self.variables, self.context)
            except Exception as error:  # noqa: BLE001 - It becomes an error of the response for every parent.
                return error
        return None

    async def _call(self, call: PreparedCall) -> list[tuple[FieldPlan, Homes, list[Any]]]:
        """Ask once for all parents, and return each field's homes and values."""
        asked = [(field, homes) for field in call.fields if (homes := self.homes.get(field.number))]
        if not asked:
            return []
        parents = [parent for _, homes in asked for parent, _ in homes]
        try:
            values = await self._resolve(call, parents, self._arguments[call])
        except Exception as error:
            if call in self.written and not isinstance(error, ClientError | UnavailableError):
                raise WritingError from error
            values = [error] * len(parents)
        if len(asked) == 1:
            ((field, homes),) = asked
            return [(field, homes, values)]
        answered = []
        start = 0
        for field, homes in asked:
            answered.append((field, homes, values[start : start + len(homes)]))
            start += len(homes)
        return answered

    async def _resolve(self, call: PreparedCall, parents: list[Any], arguments: dict[str, Any]) -> list[Any]:
        declared = call.declared
        if isinstance(declared, CommandField):
            return [await declared.run(self.context, arguments)]
        if call in self.known:
            return self._counted(list(self.known[call]), parents)
        if (written := self.written.get(call)) is not None:
            arguments = {**arguments, "written": written}
        context, policy = self.context, declared.policy
        if policy.check_parents is None and getattr(context, "observe", None) is None:
            # What `Policy.resolve` does where nobody looks, without a coroutine more for each call.
            values = list(await declared.resolver(context, parents, **arguments))
        else:
            values = await policy.resolve(declared.resolver, context, parents, arguments)
        return self._counted(values, parents)

    def _counted(self, values: list[Any], parents: list[Any]) -> list[Any]:
        if len(values) != len(parents):
            raise WrongNumberOfResultsReturned(expected=len(parents), received=len(values))
        return values

    def _completed(self, compiled: CompiledSegment, field: FieldPlan, homes: Homes, values: list[Any]) -> bool:
        """Put values where they belong; say whether that was possible, or has to be done the slow way."""
        self.allowed.clear()
        try:
            self._await_next_level(compiled.completions[field.number](self, homes, values))
        except Exception:  # noqa: BLE001 - The slow way finds out what it was.
            self._detour()
            return False
        return True

    def _detour(self) -> None:
        self.detours += 1
        self._pruned = True

    async def _complete_slowly(self, root: Selection, field: FieldPlan, homes: Homes, values: list[Any]) -> None:
        assert self.data is not None  # noqa: S101 - As above.
        found = places(self.data, root, {id(part): selection for part, selection in self.kinds})
        completion = Completion(self)
        for (_, home), value in zip(homes, values, strict=True):
            place = found.get(id(home))
            if place is None or place.is_gone():
                continue
            path = [*place.path(), field.key]
            try:
                home[field.key] = await completion.field(field, value, tuple(path))
            except GraphQLError as error:
                self.errors.append(error)
                if place.null().above is None:
                    self.data = None
                    return

    def _forget_nulled(self, root: Selection) -> None:
        """Forget the parents whose place in the response has become null; nobody is asked about them."""
        assert self.data is not None  # noqa: S101 - As above.
        self._pruned = False
        found = places(self.data, root, {id(part): selection for part, selection in self.kinds})
        for number, homes in self.homes.items():
            self.homes[number] = [home for home in homes if id(home[1]) in found]


def _make_info(run: Run, number: int) -> GraphQLResolveInfo[Any]:
    field = run.variant.fields[number]
    path: Path | None = None
    for key in field.path:
        path = Path(path, key, None)
    assert path is not None  # noqa: S101 - Every field has a key.
    return GraphQLResolveInfo(
        field.name,
        field.nodes,
        field.type,
        field.parent,
        path,
        run.schema,
        run.fragments,
        run.root_value,
        run.operation,
        run.variables.coerced,  # type: ignore[arg-type]  # Strawberry gives its resolvers the plain dictionary.
        run.context,
        is_awaitable,
        None,
        GraphQLResolveInfoHelpers(gather=lambda values: gather_with_cancel(*values), track=lambda _values: None),
    )
