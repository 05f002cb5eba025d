"""`waymark accounts`: who may do what."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from app.cli.running import DataDir, run_on_platform
from app.cli.tables import table as empty_table
from app.wiring import Platform
from core.errors import CommandError, InputError
from core.settings import Recommendations
from database.queries.accounts import CREDENTIALS, PRIVILEGED
from database.tables.accounts import Role
from resolvers.accounts import Viewer, decrypted
from resolvers.roles import change_role
from security.emails import parse_email
from security.encryption import Cipher
from security.keys import load_or_create_key_ring

app = typer.Typer(help="Say who may do what.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="Address that the account signs in with.")]
RoleName = Annotated[Role, typer.Argument(help="The role.", case_sensitive=False)]


@app.callback()
def group() -> None:
    """Say who may do what."""


@app.command()
def grant(email: Email, role: RoleName, data_dir: DataDir = None) -> None:
    """Give an account a role: INSTRUCTOR, MODERATOR or ADMINISTRATOR.

    Reads the account and writes its roles and an audit row to the database. Access tokens of
    before are revoked, so it takes effect within seconds.
    """
    _change(email, role, data_dir, granted=True)


@app.command()
def revoke(email: Email, role: RoleName, data_dir: DataDir = None) -> None:
    """Take a role from an account; the last administrator stays one.

    Reads the account and writes its roles and an audit row to the database. Access tokens of
    before are revoked, so it takes effect within seconds.
    """
    _change(email, role, data_dir, granted=False)


@app.command(name="list")
def list_accounts(data_dir: DataDir = None) -> None:
    """List the accounts that may do more than learn. Reads the database and the key file; writes nothing."""

    async def work(parts: Platform) -> list[Viewer]:
        cipher = _cipher(parts)
        async with parts.database.reader() as reader:
            return [decrypted(cipher, row) for row in await reader.fetch(PRIVILEGED)]

    table = empty_table("Address", "Name", "Roles")
    for account in run_on_platform(data_dir, work, recommendations=Recommendations.OFF):
        table.add_row(escape(account.email), escape(account.display_name), ", ".join(account.roles))
    Console(highlight=False).print(table)


def _change(email: str, role: Role, data_dir: DataDir, *, granted: bool) -> None:
    async def work(parts: Platform) -> bool:
        try:
            index = parse_email(email).index(_cipher(parts))
            async with parts.database.reader() as reader:
                account = await reader.fetch_first(CREDENTIALS, email_index=index)
            if account is None:
                raise InputError(f"There is no account with the address {email}.")
            async with parts.database.transaction() as connection:
                return await change_role(connection, account.id, role, granted=granted, now=parts.clock())
        except CommandError as refused:
            raise InputError(refused.message) from refused

    changed = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    has = "has the role" if granted else "does not have the role"
    typer.echo(f"{email} {has} {role.value}." + ("" if changed else " Nothing had to change."))


def _cipher(parts: Platform) -> Cipher:
    return Cipher(load_or_create_key_ring(parts.key_file))
