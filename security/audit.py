"""The audit trail: who did what, when, and how it ended; never a word of personal data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries import audit as queries

DONE = "done"
Detail = str | int | bool | None | list[str] | list[int]

# Names of enums, ids and hashes fit; addresses, names of people and free text do not.
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{0,80}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What an act was done to: a kind of object, and its key where there is one."""

    type_name: str
    key: int | str | None = None


async def record(
    connection: AsyncConnection,
    *,
    actor: int | None,
    action: str,
    subject: Subject,
    outcome: str,
    details: Mapping[str, Detail],
    request_id: UUID | None,
    now: datetime,
) -> None:
    """Write one row of the trail, in the transaction of the act itself.

    Args:
        connection: the act's transaction.
        actor: the account that acts; None for the system and for callers who are signed out.
        action: the mutation or command.
        subject: what it was done to.
        outcome: `done`, or the code of the refusal.
        details: what an auditor needs besides; see `refuse_personal_data`.
        request_id: correlates with logs and traces.
        now: the moment of the act.

    Raises:
        ValueError: a detail could hold personal data; that is a bug, and the act is rolled back.
    """
    refuse_personal_data(details)
    await queries.insert(
        connection,
        {
            "occurred_at": now,
            "actor_account_id": actor,
            "action": action,
            "subject_type": subject.type_name,
            "subject_id": None if subject.key is None else str(subject.key),
            "outcome": outcome,
            "request_id": request_id,
            "details": dict(details),
        },
    )


def refuse_personal_data(details: Mapping[str, Detail]) -> None:
    """Let numbers, names of enums, ids and hashes pass, and nothing that a person could have typed.

    Raises:
        ValueError: a value is of another kind; the message names its key and not the value.
    """
    for key, value in details.items():
        for item in value if isinstance(value, list) else [value]:
            plain = (
                _PLAIN.fullmatch(item) is not None if isinstance(item, str) else item is None or isinstance(item, int)
            )
            if not plain:
                raise ValueError(f"The audit detail {key!r} could hold personal data.")
