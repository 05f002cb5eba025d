"""Statements that turn copied courses into new, updated and unchanged ones; see `database.queries.imports`."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.imports import execute

_COURSES = """
CREATE TEMPORARY TABLE import_courses (
    line bigint NOT NULL, source_id text NOT NULL, slug text NOT NULL, title text NOT NULL, summary text,
    description text, level text NOT NULL, language text, duration_minutes integer, published_at timestamptz,
    topics text[] NOT NULL, skills text[], instructors text[], prerequisites text[]
) ON COMMIT DROP
"""

_TOPICS = """
CREATE TEMPORARY TABLE import_topics (slug text NOT NULL, name text NOT NULL, parent text, labels text NOT NULL)
ON COMMIT DROP
"""

COURSE_COLUMNS = (
    "line",
    "source_id",
    "slug",
    "title",
    "summary",
    "description",
    "level",
    "language",
    "duration_minutes",
    "published_at",
    "topics",
    "skills",
    "instructors",
    "prerequisites",
)
TOPIC_COLUMNS = ("slug", "name", "parent", "labels")

_REJECT_COURSES = (
    """
    WITH gone AS (
        DELETE FROM import_courses s USING courses c
        WHERE c.slug = s.slug AND (c.source, c.source_id) IS DISTINCT FROM (CAST(:source AS text), s.source_id)
        RETURNING s.line
    )
    INSERT INTO import_problems
    SELECT line, 'slug', 'rejected', 'taken_slug', 'another course of the platform has this slug' FROM gone
    """,
)
_WARN_OF_COURSES = (
    """
    WITH broken AS (
        SELECT s.line, p.source_id FROM import_courses s CROSS JOIN LATERAL unnest(s.prerequisites) p(source_id)
        WHERE p.source_id = s.source_id
        OR NOT EXISTS (SELECT FROM import_courses o WHERE o.source_id = p.source_id)
        AND NOT EXISTS (SELECT FROM courses c WHERE c.source = :source AND c.source_id = p.source_id)
    ), mended AS (
        UPDATE import_courses s SET prerequisites = ARRAY(
            SELECT u.other FROM unnest(s.prerequisites) WITH ORDINALITY u(other, place)
            WHERE NOT EXISTS (SELECT FROM broken b WHERE b.line = s.line AND b.source_id = u.other) ORDER BY u.place
        ) WHERE s.line IN (SELECT line FROM broken)
    )
    INSERT INTO import_problems
    SELECT line, 'prerequisites', 'warning', 'unknown_prerequisite', format('there is no other course %s', source_id)
    FROM broken
    """,
)

# A null in the import means that the file says nothing of the column: what is stored stays.
_PLAN_COURSES = """
CREATE TEMPORARY TABLE import_plan ON COMMIT DROP AS
SELECT s.line, c.id, c.id IS NULL AS is_new, c.id IS NOT NULL AND (
    (c.slug, c.title, c.level) IS DISTINCT FROM (s.slug, s.title, s.level)
    OR coalesce(s.language, c.language) IS DISTINCT FROM c.language
    OR coalesce(s.summary, c.summary) IS DISTINCT FROM c.summary
    OR coalesce(s.description, c.description) IS DISTINCT FROM c.description
    OR coalesce(s.duration_minutes, c.duration_minutes) IS DISTINCT FROM c.duration_minutes
    OR coalesce(s.published_at, c.published_at) IS DISTINCT FROM c.published_at
    OR s.topics IS DISTINCT FROM ARRAY(
        SELECT t.slug FROM course_topics r JOIN topics t ON t.id = r.topic_id WHERE r.course_id = c.id
        ORDER BY r.position, t.id)
    OR s.skills IS NOT NULL AND s.skills IS DISTINCT FROM ARRAY(
        SELECT k.name FROM course_skills r JOIN skills k ON k.id = r.skill_id WHERE r.course_id = c.id
        ORDER BY r.position, k.id)
    OR s.instructors IS NOT NULL AND s.instructors IS DISTINCT FROM ARRAY(
        SELECT i.display_name FROM course_instructors r JOIN instructors i ON i.id = r.instructor_id
        WHERE r.course_id = c.id ORDER BY r.position, i.id)
    OR s.prerequisites IS NOT NULL AND s.prerequisites IS DISTINCT FROM ARRAY(
        SELECT p.source_id FROM course_prerequisites r JOIN courses p ON p.id = r.prerequisite_id
        WHERE r.course_id = c.id AND p.source = :source ORDER BY p.source_id COLLATE "C")
) AS is_changed
FROM import_courses s LEFT JOIN courses c ON c.source = :source AND c.source_id = s.source_id
"""

_APPLY_COURSES = (
    """
    INSERT INTO topics (slug, name)
    SELECT DISTINCT ON (t.slug) t.slug, t.name FROM import_topics t WHERE t.parent IS NULL
    AND EXISTS (SELECT FROM import_courses s CROSS JOIN LATERAL unnest(s.topics) u(slug)
        WHERE u.slug = t.slug OR starts_with(u.slug, t.slug || '/'))
    ORDER BY t.slug ON CONFLICT (slug) DO NOTHING
    """,
    """
    INSERT INTO topics (slug, name, parent_id)
    SELECT DISTINCT ON (t.slug) t.slug, t.name, p.id FROM import_topics t JOIN topics p ON p.slug = t.parent
    WHERE EXISTS (SELECT FROM import_courses s WHERE t.slug = ANY (s.topics))
    ORDER BY t.slug ON CONFLICT (slug) DO NOTHING
    """,
    """
    INSERT INTO skills (name)
    SELECT DISTINCT u.name FROM import_courses s CROSS JOIN LATERAL unnest(s.skills) u(name)
    ORDER BY u.name ON CONFLICT (name) DO NOTHING
    """,
    """
    INSERT INTO instructors (source, source_id, display_name)
    SELECT DISTINCT CAST(:source AS text), u.name, u.name
    FROM import_courses s CROSS JOIN LATERAL unnest(s.instructors) u(name)
    ORDER BY u.name ON CONFLICT (source, source_id) DO NOTHING
    """,
    """
    WITH made AS (
        INSERT INTO courses (source, source_id, slug, title, summary, description, level, language, status,
            duration_minutes, published_at, created_at, updated_at)
        SELECT :source, s.source_id, s.slug, s.title, s.summary, s.description, s.level,
            coalesce(s.language, 'und'), 'PUBLISHED', coalesce(s.duration_minutes, 0),
            coalesce(s.published_at, :now), :now, :now
        FROM import_courses s JOIN import_plan p USING (line) WHERE p.is_new ORDER BY s.line
        RETURNING id, source_id
    )
    UPDATE import_plan p SET id = made.id FROM made JOIN import_courses s USING (source_id) WHERE s.line = p.line
    """,
    """
    UPDATE courses c SET slug = s.slug, title = s.title, summary = coalesce(s.summary, c.summary),
        description = coalesce(s.description, c.description), level = s.level,
        language = coalesce(s.language, c.language),
        duration_minutes = coalesce(s.duration_minutes, c.duration_minutes),
        published_at = coalesce(s.published_at, c.published_at), version = c.version + 1, updated_at = :now
    FROM import_courses s JOIN import_plan p USING (line) WHERE p.is_changed AND c.id = p.id
    """,
    """
    INSERT INTO course_statistics (course_id) SELECT id FROM import_plan WHERE is_new
    ON CONFLICT (course_id) DO NOTHING
    """,
    "DELETE FROM course_topics r USING import_plan p WHERE r.course_id = p.id AND p.is_changed",
    """
    DELETE FROM course_skills r USING import_plan p JOIN import_courses s USING (line)
    WHERE r.course_id = p.id AND p.is_changed AND s.skills IS NOT NULL
    """,
    """
    DELETE FROM course_instructors r USING import_plan p JOIN import_courses s USING (line)
    WHERE r.course_id = p.id AND p.is_changed AND s.instructors IS NOT NULL
    """,
    """
    DELETE FROM course_prerequisites r USING import_plan p JOIN import_courses s USING (line), courses c
    WHERE r.course_id = p.id AND p.is_changed AND s.prerequisites IS NOT NULL
    AND c.id = r.prerequisite_id AND c.source = :source
    """,
    """
    INSERT INTO course_topics (course_id, topic_id, position)
    SELECT p.id, t.id, u.place - 1 FROM import_plan p JOIN import_courses s USING (line)
    CROSS JOIN LATERAL unnest(s.topics) WITH ORDINALITY u(slug, place) JOIN topics t ON t.slug = u.slug
    WHERE p.is_new OR p.is_changed
    """,
    """
    INSERT INTO course_skills (course_id, skill_id, position)
    SELECT p.id, k.id, u.place - 1 FROM import_plan p JOIN import_courses s USING (line)
    CROSS JOIN LATERAL unnest(s.skills) WITH ORDINALITY u(name, place) JOIN skills k ON k.name = u.name
    WHERE p.is_new OR p.is_changed
    """,
    """
    INSERT INTO course_instructors (course_id, instructor_id, position)
    SELECT p.id, i.id, u.place - 1 FROM import_plan p JOIN import_courses s USING (line)
    CROSS JOIN LATERAL unnest(s.instructors) WITH ORDINALITY u(name, place)
    JOIN instructors i ON i.source = :source AND i.source_id = u.name
    WHERE p.is_new OR p.is_changed
    """,
    """
    INSERT INTO course_prerequisites (course_id, prerequisite_id)
    SELECT p.id, c.id FROM import_plan p JOIN import_courses s USING (line)
    CROSS JOIN LATERAL unnest(s.prerequisites) u(source_id)
    JOIN courses c ON c.source = :source AND c.source_id = u.source_id
    WHERE p.is_new OR p.is_changed
    """,
)
# A label that somebody changed stays, as a name does; a language that is new is added.
_LABEL_TOPICS = """
UPDATE topics t SET labels = CAST(i.labels AS jsonb) || t.labels
FROM (SELECT DISTINCT slug, labels FROM import_topics) i
WHERE i.slug = t.slug AND CAST(i.labels AS jsonb) || t.labels <> t.labels
"""
_COUNT_COURSES = """
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE is_changed),
    count(*) FILTER (WHERE NOT is_new AND NOT is_changed)
FROM import_plan
"""


class CourseCounts(NamedTuple):
    """What happened to the courses of a file."""

    new: int
    updated: int
    unchanged: int


async def prepare_courses(connection: AsyncConnection) -> None:
    """Make the temporary tables that `copy` fills with courses and topics."""
    await connection.execute(text(_COURSES))
    await connection.execute(text(_TOPICS))


async def apply_courses(connection: AsyncConnection, source: str, now: datetime) -> CourseCounts:
    """Turn the copied courses into new, updated and unchanged ones; what cannot be loaded becomes a problem."""
    await connection.execute(text("ANALYZE import_courses"))
    await execute(connection, (*_REJECT_COURSES, *_WARN_OF_COURSES, _PLAN_COURSES), source=source, now=now)
    counts = CourseCounts(*(await connection.execute(text(_COUNT_COURSES))).one())
    if counts.new or counts.updated:
        await connection.execute(text("ANALYZE import_plan"))
        await execute(connection, _APPLY_COURSES, source=source, now=now)
    await connection.execute(text(_LABEL_TOPICS))
    await connection.execute(text("DROP TABLE import_courses, import_topics, import_plan"))
    return counts


async def count_courses(connection: AsyncConnection, source: str | None = None) -> int:
    """Return how many courses there are, of one source or of all."""
    statement = text("SELECT count(*) FROM courses WHERE CAST(:source AS text) IS NULL OR source = :source")
    count: int = (await connection.execute(statement, {"source": source})).scalar_one()
    return count
