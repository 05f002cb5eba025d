"""A course as it would be published, in one statement: what the rules of quality look at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, bindparam, text

from database.rows import Row
from database.statements import Statement


class OutlineRow(Row):
    """A course by its open revision, else by its published one, else by itself.

    `modules` is a list of `{"title", "assessed", "lessons": [{"title", "kind", "media_url"}]}`.
    """

    course_id: int
    slug: str
    title: str
    summary: str | None
    description: str | None
    level: str
    language: str
    topics: list[str]
    skills: list[str]
    prerequisite_ids: list[int]
    has_revision: bool
    modules: list[dict[str, Any]]
    same_title: str | None


OUTLINES: Statement[OutlineRow] = Statement(
    text("""
    SELECT c.id AS course_id, c.slug, coalesce(r.title, c.title) AS title,
        CASE WHEN r.id IS NULL THEN c.summary ELSE r.summary END AS summary,
        CASE WHEN r.id IS NULL THEN c.description ELSE r.description END AS description,
        coalesce(r.level, c.level) AS level, coalesce(r.language, c.language) AS language,
        array(SELECT t.slug FROM topics t WHERE t.id = ANY(
            coalesce(r.topic_ids, array(SELECT topic_id FROM course_topics WHERE course_id = c.id))) ORDER BY t.id
        ) AS topics,
        coalesce(r.skills, array(SELECT s.name FROM course_skills k JOIN skills s ON s.id = k.skill_id
            WHERE k.course_id = c.id ORDER BY k.position)) AS skills,
        coalesce(r.prerequisite_ids,
            array(SELECT prerequisite_id FROM course_prerequisites WHERE course_id = c.id)) AS prerequisite_ids,
        r.id IS NOT NULL AS has_revision,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'title', m.title,
                'assessed', EXISTS (SELECT FROM assessments a WHERE a.module_id = m.id),
                'lessons', coalesce((
                    SELECT jsonb_agg(jsonb_build_object('title', l.title, 'kind', l.kind, 'media_url', l.media_url)
                        ORDER BY l.position) FROM lessons l WHERE l.module_id = m.id), '[]')
            ) ORDER BY m.position) FROM modules m WHERE m.revision_id = r.id), '[]') AS modules,
        (SELECT min(o.slug) FROM courses o WHERE o.id <> c.id AND o.status = 'PUBLISHED'
            AND o.title = coalesce(r.title, c.title)) AS same_title
    FROM courses c LEFT JOIN LATERAL (
        SELECT * FROM course_revisions r WHERE r.course_id = c.id AND r.status <> 'SUPERSEDED'
        ORDER BY r.number DESC LIMIT 1
    ) r ON true
    WHERE c.id = ANY(:ids)
    """).bindparams(bindparam("ids", type_=ARRAY(BigInteger))),
    OutlineRow,
)
