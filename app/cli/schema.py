"""`waymark schema`: print the contract that this code implements."""

from __future__ import annotations

import typer

from schema.contract import build_schema, printed

app = typer.Typer(add_completion=False)


@app.command()
def schema() -> None:
    """Print the GraphQL schema to standard output. Reads and writes nothing else."""
    typer.echo(printed(build_schema()), nl=False)
