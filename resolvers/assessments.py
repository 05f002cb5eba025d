"""Assessments and their questions. Keys and explanations only ever leave through fields of authors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.queries import assessments as queries
from database.queries.assessments import AssessmentRow, QuestionRow
from database.queries.revisions import ModuleRow
from resolvers.authors import viewpoint
from resolvers.batches import aligned, grouped
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What answers a question rightly; what does not belong to its kind is None."""

    choice_ids: list[str] | None = None
    number: float | None = None
    tolerance: float | None = None
    accepted_texts: list[str] | None = None


async def assessment(context: Context, modules: Sequence[ModuleRow]) -> list[AssessmentRow | None]:
    """Return the assessment of each module, or None."""
    rows = await context.reader.fetch(queries.OF_MODULES, ids=list({row.id for row in modules}))
    found = {row.module_id: row for row in rows}
    return [found.get(row.id) for row in modules]


async def questions(context: Context, assessments: Sequence[AssessmentRow]) -> list[list[QuestionRow]]:
    """Return the questions of each assessment, in order."""
    rows = await context.reader.fetch(queries.QUESTIONS, ids=list({row.id for row in assessments}))
    return grouped(rows, "assessment_id", [row.id for row in assessments])


async def answer_key(_context: Context, questions: Sequence[QuestionRow]) -> list[AnswerKey]:
    """Return the key of each question."""
    return [
        AnswerKey(
            choice_ids=question.answer_key.get("choices"),
            number=question.answer_key.get("number"),
            tolerance=question.answer_key.get("tolerance"),
            accepted_texts=question.answer_key.get("texts"),
        )
        for question in questions
    ]


async def explanation(context: Context, questions: Sequence[QuestionRow]) -> list[str | None]:
    """Return the explanation of each question; None for learners without a graded attempt that asked it."""
    if context.identity is None:
        return [None] * len(questions)
    keys = list({row.id for row in questions})
    found = {row.id for row in await context.reader.fetch(queries.EXPLAINED, ids=keys, **viewpoint(context))}
    return [question.explanation if question.id in found else None for question in questions]


async def by_ids(context: Context, keys: Sequence[int]) -> list[AssessmentRow | None]:
    """Return the assessment of each key if the caller may see it, or None."""
    return aligned(await context.reader.fetch(queries.VISIBLE_BY_IDS, ids=list(keys), **viewpoint(context)), keys)


async def questions_by_ids(context: Context, keys: Sequence[int]) -> list[QuestionRow | None]:
    """Return the question of each key if the caller was asked it or wrote it, or None."""
    return aligned(
        await context.reader.fetch(queries.VISIBLE_QUESTIONS_BY_IDS, ids=list(keys), **viewpoint(context)), keys
    )
