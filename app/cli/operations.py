"""`waymark operations`: register the operations that clients may run, and see who uses them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from graphql import parse
from rich.console import Console
from rich.table import Table

from app.cli.running import DataDir, run_on_platform
from app.cli.tables import table as empty_table
from app.wiring import Platform
from core.errors import InputError
from core.settings import Recommendations
from database.queries.operations import (
    OPERATIONS,
    OPERATIONS_NAMED,
    REGISTRATIONS,
    USAGE,
    ListedOperationRow,
    OperationRow,
    RegistrationRow,
    UsageRow,
)
from execution.compile import UnsupportedOperationError, compile_operation
from gateway import limits
from gateway.documents import Document, Documents
from gateway.manifests import Entry, Problem, read_manifest
from gateway.refusals import DocumentLimitError, InvalidDocumentError
from gateway.registration import Build, Registration, register as register_operations
from gateway.usage import UNNAMED
from schema.contract import build_schema

app = typer.Typer(help="Register the operations that clients may run, and see who uses them.", no_args_is_help=True)

Files = Annotated[
    list[Path], typer.Argument(help="Manifest of a client's build: Relay's, Apollo's or graphql-codegen's.")
]
_SHOWN_ID = 16
_INCOMPLETE = 1


@app.callback()
def group() -> None:
    """Register the operations that clients may run, and see who uses them."""


@app.command()
def register(
    files: Files,
    data_dir: DataDir = None,
    client: Annotated[str, typer.Option("--client", help="What the client calls itself, such as `ios`.")] = UNNAMED,
    client_version: Annotated[str, typer.Option("--client-version", help="Version of its build.")] = "",
    registered_by: Annotated[
        str | None, typer.Option("--registered-by", help="Who registers them (default: the user of this machine).")
    ] = None,
) -> None:
    """Register the operations of a client's build; servers that run know them at once.

    Reads the manifests; writes operations, the build that has them, and an audit row to the database. Operations that
    do not parse, are not valid for this version's schema or are above a limit are named and left out: the others are
    registered, and the exit code is 1. What is registered is never replaced or dropped.
    """
    build = Build(client, client_version, registered_by or _user())
    schema = build_schema()

    async def work(parts: Platform) -> Registration:
        return await register_operations(parts.database, schema, _entries(files), build, parts.clock())

    done = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    console = _console()
    for problem in done.problems:
        console.print(f"Not registered: {problem}", markup=False)
    console.print(f"{done.new:,} operations registered, {done.known:,} known already, {len(done.problems):,} refused.")
    if done.problems:
        raise typer.Exit(_INCOMPLETE)


@app.command(name="list")
def list_(data_dir: DataDir = None) -> None:
    """List all registered operations, by name, with what they cost and the builds that have them.

    The cost is that without variables: lists have the length that is assumed of them. Reads the database;
    writes nothing. Says of an operation that is not valid any more for this version's schema.
    """

    async def work(parts: Platform) -> list[ListedOperationRow]:
        async with parts.database.reader() as reader:
            return await reader.fetch(OPERATIONS)

    rows = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    console = _console()
    if not rows:
        console.print("No operation is registered; `waymark operations register` does.")
        return
    documents = Documents(build_schema(), most=1)
    console.print(_operation_table(rows, documents), soft_wrap=False)


def _operation_table(rows: list[ListedOperationRow], documents: Documents) -> Table:
    right, whole = ("Cost", "Uses"), ("Id", "Kind", "Cost", "Uses")
    table = empty_table("Operation", "Id", "Kind", "Cost", "Builds", "Uses", "Last use", right=right, whole=whole)
    for row in rows:
        document = _prepared(documents, row.text)
        table.add_row(
            row.name or "",
            row.id[:_SHOWN_ID],
            row.kind,
            "not valid" if isinstance(document, str) else f"{document.operations[0].cost.requested({}):,}",
            ", ".join(sorted(each.strip() for each in row.clients)),
            f"{row.count:,}",
            f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "",
        )
    return table


@app.command()
def usage(
    data_dir: DataDir = None,
    needs: Annotated[
        str | None, typer.Option("--needs", help="Only operations that need this, such as `Course.title`.")
    ] = None,
) -> None:
    """Show which clients, in which versions, use each operation, when last, and what of the schema it needs.

    Reads the database; writes nothing. Servers write what they counted every few seconds.
    """

    async def work(parts: Platform) -> list[UsageRow]:
        async with parts.database.reader() as reader:
            return await reader.fetch(USAGE)

    rows = [
        row
        for row in run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
        if needs is None or needs in row.coordinates
    ]
    console = _console()
    if not rows:
        console.print("No use is on record." if needs is None else f"No use of an operation that needs {needs}.")
    for _, uses in groupby(rows, key=lambda row: row.operation_id):
        for number, row in enumerate(uses):
            if number == 0:
                console.print(f"{row.kind} {row.name or ''} {row.operation_id}", markup=False)
                console.print(f"  needs {', '.join(row.coordinates)}", markup=False)
            said = f"{row.client} {row.client_version}".strip()
            console.print(f"  {said}: {row.count:,} times, last {row.last_used_at:%Y-%m-%d %H:%M} UTC", markup=False)


@app.command()
def explain(
    operation: Annotated[str, typer.Argument(help="Id or name of a registered operation, or how its id begins.")],
    data_dir: DataDir = None,
) -> None:
    """Show an operation: its text and kind, the builds that have it, what it needs, and its measures.

    Reads the database; writes nothing.
    """

    async def work(parts: Platform) -> tuple[OperationRow, list[RegistrationRow]]:
        async with parts.database.reader() as reader:
            found = await reader.fetch(OPERATIONS_NAMED, named=operation)
            exact = [row for row in found if operation in {row.id, row.sha256}] or found
            if len(exact) != 1:
                several = ", ".join(f"{row.name or ''} {row.id[:_SHOWN_ID]}".strip() for row in exact)
                raise InputError(
                    f"Several operations answer to {operation}: {several}."
                    if exact
                    else f"No operation {operation} is registered."
                )
            return exact[0], await reader.fetch(REGISTRATIONS, id=exact[0].id)

    row, registrations = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    console = _console()
    for line in _explained(row, registrations):
        console.print(line, markup=False)


def _explained(row: OperationRow, registrations: list[RegistrationRow]) -> Iterator[str]:
    """Yield the lines of what is known of an operation."""
    yield f"{row.kind} {row.name or '(unnamed)'}"
    yield f"id      {row.id}"
    if row.sha256 != row.id:
        yield f"sha256  {row.sha256}"
    for each in registrations:
        build = f"{each.client} {each.client_version}".strip()
        yield f"build   {build}, registered {each.registered_at:%Y-%m-%d %H:%M} UTC by {each.registered_by}"
    for coordinate in row.coordinates:
        yield f"needs   {coordinate}"
    found = _prepared(Documents(build_schema(), most=1), row.text)
    if isinstance(found, str):
        yield f"INVALID for this version's schema: {found}"
    else:
        size = found.size
        for name, measured, most in (
            ("characters", size.characters, limits.MOST_CHARACTERS),
            ("depth", size.depth, limits.DEEPEST_QUERY),
            ("breadth", size.breadth, limits.BROADEST_SELECTION),
            ("aliases", size.aliases, limits.MOST_ALIASES),
            ("fragments", size.fragments, limits.MOST_FRAGMENTS),
            ("directives", size.directives, limits.MOST_DIRECTIVES),
        ):
            yield f"limit   {name} {measured:,} of {most:,}"
        yield from _priced(found)
    yield ""
    yield row.text
    if not isinstance(found, str):
        yield from _compiled(row.text)


def _priced(document: Document) -> Iterator[str]:
    """Yield what an operation costs, and whether its answers are kept."""
    (operation,) = document.operations
    yield f"cost    {operation.cost.requested({}):,} without variables; lists are as long as the contract assumes"
    if operation.hint is None:
        yield "kept    never: some of its fields are personal, or nothing says that they are not"
    else:
        who = "signed-out callers" if operation.hint.personal else "everybody"
        yield f"kept    {operation.hint.max_age} seconds, for {who}"


def _compiled(text: str) -> Iterator[str]:
    """Yield how an operation is executed: its plan and the code that is generated for it."""
    try:
        compiled = compile_operation(build_schema(), parse(text))
    except UnsupportedOperationError as reason:
        yield f"executor  graphql-core: {reason}"
        return
    yield "executor  compiled"
    yield ""
    yield str(compiled.describe())
    yield ""
    yield compiled.source


def _entries(files: list[Path]) -> Iterator[Entry | Problem]:
    for path in files:
        try:
            yield from read_manifest(path)
        except InputError as error:
            yield Problem(str(path), str(error))


def _prepared(documents: Documents, text: str) -> Document | str:
    try:
        return documents.prepare(text)
    except (DocumentLimitError, InvalidDocumentError) as refused:
        return str(refused)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return "unknown"


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
