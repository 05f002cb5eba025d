"""Guessing passwords: refused attempts are counted in the audit trail, and too many of them make further ones wait.

Signing in and everything else that asks for the password of an account share one count.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from core.errors import CommandError, UserErrorCode
from database.queries import audit as audit_queries, sessions as queries
from resolvers.commands import Act, transact
from resolvers.context import Context
from security.audit import Subject
from security.emails import Email

# Refused attempts to sign in before further ones wait, and how long they are remembered.
THROTTLE_WINDOW = timedelta(minutes=15)
_MOST_FAILURES = {"SignInEmail": 10, "SignInAddress": 100}
_WRONG = "The address or the password is wrong."


def attempted(context: Context, email: Email) -> tuple[Subject, ...]:
    """Return what an attempt counts against: the address that was guessed at, and where the guess came from."""
    cipher = context.services.cipher
    subjects = [Subject("SignInEmail", cipher.blind_index(email.key, "sign_in.email").hex())]
    if context.client_address is not None:
        subjects.append(Subject("SignInAddress", cipher.blind_index(context.client_address, "sign_in.address").hex()))
    return tuple(subjects)


async def failures(context: Context, subjects: tuple[Subject, ...]) -> dict[str, int]:
    """Return how many attempts on each subject failed of late."""
    rows = await context.reader.fetch(audit_queries.ATTEMPTS, **_counted(subjects, context.clock()))
    return {row.subject_type: row.count for row in rows}


async def judge_in_turn(act: Act, subjects: tuple[Subject, ...]) -> None:
    """Count again with attempts on the same address kept out, so that guessing in parallel gains nothing."""
    await queries.take_turn(act.connection, int(str(subjects[0].key)[:15], 16))
    refuse_too_many(await audit_queries.count_attempts(act.connection, **_counted(subjects, act.now)))


async def record_failure(
    context: Context, subjects: tuple[Subject, ...], account_id: int | None, field: tuple[str, ...] | None = None
) -> CommandError:
    """Put a failed attempt on record, against each of its subjects, and return the refusal."""
    refusal = CommandError(
        UserErrorCode.INVALID_CREDENTIALS, _WRONG if field is None else "The password is wrong.", field
    )
    async with transact(context, "sign_in", subjects[0]) as act:
        await judge_in_turn(act, subjects)
        act.outcome = refusal.code.value
        act.details["account_id"] = account_id
        for subject in subjects[1:]:
            await act.record(subject)
    return refusal


def _counted(subjects: tuple[Subject, ...], now: datetime) -> dict[str, Any]:
    return {
        "subject_types": [subject.type_name for subject in subjects],
        "subject_ids": [str(subject.key) for subject in subjects],
        "action": "sign_in",
        "outcome": UserErrorCode.INVALID_CREDENTIALS.value,
        "since": now - THROTTLE_WINDOW,
    }


def refuse_too_many(counts: dict[str, int]) -> None:
    """Refuse when too many attempts failed of late.

    Raises:
        CommandError: RATE_LIMITED.
    """
    if any(counts.get(subject_type, 0) >= most for subject_type, most in _MOST_FAILURES.items()):
        minutes = int(THROTTLE_WINDOW.total_seconds() // 60)
        raise CommandError(
            UserErrorCode.RATE_LIMITED, f"Too many failed attempts to sign in; try again in {minutes} minutes."
        )


async def refuse_wrong_password(
    context: Context, email: Email, account_id: int, *, password_hash: str, given: str, field: tuple[str, ...]
) -> None:
    """Refuse a command of somebody who does not know the password of their own account.

    Raises:
        CommandError: INVALID_CREDENTIALS at `field`, or RATE_LIMITED.
    """
    guessed = attempted(context, email)
    refuse_too_many(await failures(context, guessed))
    await context.reader.release()
    if not await context.services.passwords.verify(password_hash, given):
        raise await record_failure(context, guessed, account_id, field)
