"""Writing what the simulated courses consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.simulation.contents import SimulatedModule
from database.queries import contents as queries


async def load_contents(
    connection: AsyncConnection, contents: Mapping[str, Sequence[SimulatedModule]], *, source: str, now: datetime
) -> None:
    """Publish a first revision of each course of a source, with its modules.

    Args:
        connection: the transaction that the courses were loaded in.
        contents: modules by the source's id of the course; a course that is not here gets a revision without any.
        source: where the courses came from.
        now: the moment.
    """
    revisions = await queries.write_first_revisions(connection, source, now)
    listed = [
        (revision, position, module)
        for source_id, revision in revisions.items()
        for position, module in enumerate(contents.get(source_id, ()))
    ]
    if not listed:
        return
    keys = await queries.insert_modules(
        connection,
        [{"revision_id": one, "position": place, "title": module.title} for one, place, module in listed],
    )
    await queries.insert_lessons(
        connection,
        [
            row
            for key, (revision, _, module) in zip(keys, listed, strict=True)
            for row in _lessons(module, revision, key)
        ],
    )
    await _load_assessments(
        connection, [(revision, key, module) for key, (revision, _, module) in zip(keys, listed, strict=True)]
    )


async def _load_assessments(connection: AsyncConnection, modules: Sequence[tuple[int, int, SimulatedModule]]) -> None:
    assessed = [one for one in modules if one[2].questions]
    keys = await queries.insert_assessments(
        connection,
        [
            {
                "revision_id": revision,
                "module_id": module_key,
                "title": f"What do you know of {module.title}?",
                "passing_share": module.passing_share,
                "time_limit_seconds": module.time_limit_seconds,
                "attempt_limit": module.attempt_limit,
            }
            for revision, module_key, module in assessed
        ],
    )
    await queries.insert_questions(
        connection,
        [row for key, (_, _, module) in zip(keys, assessed, strict=True) for row in _questions(module, key)],
    )


def _lessons(module: SimulatedModule, revision_id: int, module_id: int) -> list[dict[str, Any]]:
    return [
        {
            "revision_id": revision_id,
            "module_id": module_id,
            "position": position,
            "kind": lesson.kind.value,
            "title": lesson.title,
            "duration_seconds": lesson.duration_seconds,
            "media_url": lesson.media_url,
            "body": lesson.body,
        }
        for position, lesson in enumerate(module.lessons)
    ]


def _questions(module: SimulatedModule, assessment_id: int) -> list[dict[str, Any]]:
    return [
        {
            "assessment_id": assessment_id,
            "position": position,
            "kind": question.kind.value,
            "prompt": question.prompt,
            "points": question.points,
            "choices": list(question.choices),
            "answer_key": question.answer_key,
            "explanation": question.explanation,
        }
        for position, question in enumerate(module.questions)
    ]
