"""How every command runs: one transaction for what it does, its event and its row in the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UnauthenticatedError
from resolvers.context import Context
from security import audit
from security.audit import Detail, Subject
from security.policies import Identity


@dataclass(slots=True)
class Act:
    """A command while it runs. What the audit trail will say of it may be set until the block ends.

    Attributes:
        connection: the transaction.
        now: the moment of the act, one for everything it writes.
        request_id: the request it belongs to.
        action: the mutation.
        actor: the account that acts, or None.
        subject: what it is done to.
        outcome: `done`, or the code of a refusal that keeps what was written.
        details: what an auditor needs besides; never personal data.
        recorded: whether the act gets a row at all; only refusals of strangers with nothing to tell go without.
    """

    connection: AsyncConnection
    now: datetime
    request_id: UUID
    action: str
    actor: int | None
    subject: Subject
    outcome: str = audit.DONE
    details: dict[str, Detail] = field(default_factory=dict)
    recorded: bool = True

    async def record(self, subject: Subject) -> None:
        """Write the act's row into the trail, as done to `subject`."""
        await audit.record(
            self.connection,
            actor=self.actor,
            action=self.action,
            subject=subject,
            outcome=self.outcome,
            details=self.details,
            request_id=self.request_id,
            now=self.now,
        )


@asynccontextmanager
async def transact(context: Context, action: str, subject: Subject) -> AsyncIterator[Act]:
    """Open the transaction of a command, and end it with a row in the audit trail.

    A `CommandError` raised inside takes back what the block wrote, and is raised again after the refusal is on
    record. Any other exception takes back everything. A command whose refusal must leave something behind sets
    `outcome` instead, and answers after the block.
    """
    refusal: CommandError | None = None
    identity = context.identity
    async with context.database.transaction() as connection:
        act = Act(
            connection=connection,
            now=context.clock(),
            request_id=context.request_id,
            action=action,
            actor=None if identity is None else identity.account_id,
            subject=subject,
        )
        try:
            async with connection.begin_nested():
                yield act
        except CommandError as refused:
            refusal = refused
            act.outcome = refused.code.value
        if act.recorded:
            await act.record(act.subject)
    if refusal is not None:
        raise refusal


def caller(context: Context) -> Identity:
    """Return who is asking.

    Raises:
        UnauthenticatedError: nobody signed in; the field's policy should have said so before.
    """
    if context.identity is None:
        raise UnauthenticatedError("Sign in to use this field.")
    return context.identity
