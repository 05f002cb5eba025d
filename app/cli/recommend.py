"""`waymark recommend`: what the API would answer a learner, with strategy, scores and reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.running import DataDir, run_on_platform
from app.cli.tables import table as empty_table
from app.server import ranking
from app.wiring import Platform
from core.errors import CommandError, InputError
from database.queries import courses as course_queries, topics as topic_queries
from database.queries.accounts import CREDENTIALS
from database.queries.history import IMPORTED_LEARNERS, LEARNER
from database.session import Database, Reader
from security.emails import parse_email
from security.encryption import Cipher
from security.keys import load_or_create_key_ring
from serving.recommender import RankedList, Reason, ReasonKind, RecommendationRequest, Recommender

app = typer.Typer(add_completion=False)

_PATIENCE = 10.0
"""Seconds: a command is not a page, and its first answer opens connections that a server has long opened."""
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Printed:
    """A list with the names of what it speaks of."""

    learner_id: int
    ranked: RankedList
    titles: Mapping[int, str]
    topics: Mapping[int, str]


@app.command()
def recommend(
    learner: Annotated[str, typer.Argument(help="Numeric id, id in the source of an import, or email address.")],
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Longest list to print.")] = 10,
) -> None:
    """Print the courses that `recommendedCourses` would answer a learner, best first.

    Reads the database, the online store and the live release; writes nothing.
    """

    async def work(parts: Platform) -> Printed:
        learner_id = await find_learner(
            parts.database, learner, lambda: Cipher(load_or_create_key_ring(parts.key_file))
        )
        async with ranking(parts) as ranked:
            patience = max(_PATIENCE, parts.settings.ranking.deadline)
            recommender = ranked.recommender(parts, patience)
            await recommender.rulebook.load(parts.database, parts.clock())
            request = RecommendationRequest(learner_id=learner_id, now=parts.clock(), limit=limit)
            return await answer(parts.database, recommender, request)

    found = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    console.print(_summary(found), markup=False, soft_wrap=True)
    console.print(_table(found))


async def find_learner(database: Database, text: str, cipher: Callable[[], Cipher]) -> int:
    """Return the id of the learner that somebody named.

    Args:
        database: with the learners.
        text: a numeric id, an id in the source of an import, or an email address.
        cipher: gives the cipher that finds an account by its address; only asked for an address.

    Raises:
        InputError: nobody, or more than one learner, is called so.
    """
    async with database.reader() as reader:
        if "@" in text:
            return await _by_email(reader, text, cipher())
        if text.isascii() and text.isdigit() and int(text) <= _LARGEST_ID:
            row = await reader.fetch_first(LEARNER, id=int(text))
            if row is not None:
                return row.id
        rows = await reader.fetch(IMPORTED_LEARNERS, source_id=text)
    if not rows:
        raise InputError(f"There is no learner {text}.")
    if len(rows) > 1:
        listed = ", ".join(str(row.id) for row in rows)
        raise InputError(f"Several sources have a learner {text}; give one of the numeric ids {listed}.")
    return rows[0].id


async def answer(database: Database, recommender: Recommender, request: RecommendationRequest) -> Printed:
    """Ask as the API does, and look up the names to print."""
    async with database.reader() as reader:
        ranked = await recommender.recommend(reader, request)
        reasons = [reason for course in ranked.courses for reason in course.reasons]
        course_ids = {course.course_id for course in ranked.courses}
        course_ids |= {reason.course_id for reason in reasons if reason.course_id is not None}
        topic_ids = {reason.topic_id for reason in reasons if reason.topic_id is not None}
        titles = {row.id: row.title for row in await reader.fetch(course_queries.BY_IDS, ids=sorted(course_ids))}
        topics = {row.id: row.name for row in await reader.fetch(topic_queries.BY_IDS, ids=sorted(topic_ids))}
    return Printed(request.learner_id or 0, ranked, titles, topics)


async def _by_email(reader: Reader, text: str, cipher: Cipher) -> int:
    try:
        index = parse_email(text).index(cipher)
    except CommandError as error:
        raise InputError(f"{text} is not an email address.") from error
    account = await reader.fetch_first(CREDENTIALS, email_index=index)
    if account is None:
        raise InputError(f"There is no account with the address {text}.")
    return account.learner_id


def _summary(found: Printed) -> str:
    ranked = found.ranked
    by = f"model {ranked.model_version}" if ranked.model_version else "no model"
    cause = f"; the model did not answer ({ranked.fallback_cause})" if ranked.fallback_cause else ""
    return f"Learner {found.learner_id}: {ranked.strategy}, {by}{cause}"


def _table(found: Printed) -> Table:
    table = empty_table("Rank", "Course", "Title", "Score", "Reasons", right=("Rank", "Course", "Score"))
    for rank, course in enumerate(found.ranked.courses, start=1):
        reasons = "; ".join(told(reason, found) for reason in course.reasons)
        title = found.titles.get(course.course_id, "")
        table.add_row(str(rank), str(course.course_id), escape(title), f"{course.score:.3f}", escape(reasons))
    return table


def told(reason: Reason, found: Printed) -> str:
    """Return a reason as a person at a terminal is told it."""
    if reason.kind is ReasonKind.BECAUSE_YOU_TOOK and reason.course_id is not None:
        return f"took {found.titles.get(reason.course_id, reason.course_id)}"
    if reason.kind is ReasonKind.MATCHES_GOAL and reason.topic_id is not None:
        return f"chose {found.topics.get(reason.topic_id, reason.topic_id)}"
    if reason.kind is ReasonKind.POPULAR_IN_TOPIC and reason.topic_id is not None:
        return f"popular in {found.topics.get(reason.topic_id, reason.topic_id)}"
    if reason.kind is ReasonKind.PREPARES_FOR and reason.course_id is not None:
        return f"prepares for {found.titles.get(reason.course_id, reason.course_id)}"
    return {ReasonKind.STAFF_PICK: "pinned by staff", ReasonKind.NEW_COURSE: "new"}.get(reason.kind, "popular")
