"""How good a course is as it would be published, by the rules that also judge imports."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.metadata import CourseMetadata, MediaLink, ModuleOutline
from catalog.quality import Issue, Standards, examine, is_publishable, score
from database.queries.courses import CourseRow
from database.queries.outlines import OUTLINES, OutlineRow
from database.session import Reader
from database.tables.courses import CourseLevel
from resolvers.context import Context

# Names of `CourseMetadata` as the contract writes them.
_FIELDS = {
    "lesson_count": "modules",
    "has_assessment": "modules",
    "topics": "topicIds",
    "prerequisites": "prerequisiteIds",
}


@dataclass(frozen=True, slots=True)
class CourseQuality:
    """A judgment: `score` is above 0 and at most 1."""

    score: float
    publishable: bool
    issues: Sequence[Issue]


async def quality(context: Context, courses: Sequence[CourseRow]) -> list[CourseQuality]:
    """Return the judgment of each course: of its draft if there is one, else of what is published."""
    judged = await judge(context.reader, list({row.id for row in courses}), context.services.standards)
    return [judged[row.id] for row in courses]


async def judge(reader: Reader, course_ids: Sequence[int], standards: Standards) -> dict[int, CourseQuality]:
    """Return the judgment of each course, by id."""
    rows = await reader.fetch(OUTLINES, ids=list(course_ids))
    # The first judgment of a process loads a model of languages, which takes a second.
    return await asyncio.to_thread(
        lambda: {row.course_id: _judgment(examine(_metadata(row), standards)) for row in rows}
    )


def contract_path(issue: Issue) -> list[str]:
    """Return where an issue is, by the names of the contract."""
    first, *rest = issue.field
    return [_FIELDS.get(first, first), *rest]


def _judgment(issues: Sequence[Issue]) -> CourseQuality:
    return CourseQuality(score(issues), is_publishable(issues), issues)


def _metadata(row: OutlineRow) -> CourseMetadata:
    # Nothing is known of the content of an imported course, so nothing is held against it.
    modules = row.modules if row.has_revision else None
    return CourseMetadata(
        title=row.title,
        slug=row.slug,
        summary=row.summary or "",
        description=row.description or "",
        level=CourseLevel(row.level),
        language=row.language,
        topics=tuple(row.topics),
        skills=tuple(row.skills),
        prerequisites=tuple(str(key) for key in row.prerequisite_ids),
        has_assessment=None if modules is None else any(module["assessed"] for module in modules),
        modules=None
        if modules is None
        else tuple(ModuleOutline(module["title"], len(module["lessons"]), module["assessed"]) for module in modules),
        media=None
        if modules is None
        else tuple(
            MediaLink(lesson["media_url"], ("modules", str(place), "lessons", str(number), "mediaUrl"))
            for place, module in enumerate(modules)
            for number, lesson in enumerate(module["lessons"])
            if lesson["media_url"]
        ),
        same_title=None if row.same_title is None else f"another course, {row.same_title}",
    )
