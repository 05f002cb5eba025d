"""Statements about courses that are like others, and how the batch job stores what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Double, Integer, column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.course_filters import COUNTED
from database.queries.courses import COLUMNS, CourseRow
from database.statements import Statement
from database.tables.courses import courses

# Neighbors that the batch job has found, as far as they are still published. Where they are fewer than asked for,
# courses about the same follow: two points for a topic in common, one for a skill up to five, two for the language,
# half a point for the level, and a little for popularity, which decides between equals.
_SIMILAR = r"""
SELECT parent.id AS parent_id, chosen.id AS similar_id, chosen.tier, chosen.place
FROM unnest(CAST(:ids AS bigint[])) AS parent (id)
JOIN courses AS subject ON subject.id = parent.id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(other.id ORDER BY near.place), '{}') AS ids
    FROM course_neighbors AS stored
    CROSS JOIN LATERAL unnest(stored.neighbor_ids) WITH ORDINALITY AS near (id, place)
    JOIN courses AS other ON other.id = near.id AND other.status = 'PUBLISHED'
    WHERE stored.course_id = parent.id
) AS found
CROSS JOIN LATERAL (
    (
        SELECT near.id, 0 AS tier, CAST(near.place AS double precision) AS place
        FROM unnest(found.ids) WITH ORDINALITY AS near (id, place)
    )
    UNION ALL
    (
        SELECT other.id, 1, -(
            2 * alike.topics + least(alike.skills, 5)
            + CASE WHEN split_part(other.language, '-', 1) = split_part(subject.language, '-', 1) THEN 2 ELSE 0 END
            + CASE WHEN other.level IN (subject.level, 'ALL_LEVELS') THEN 0.5 ELSE 0 END
            + 0.1 * ln(1 + counted.enrollment_count)
        )
        FROM (
            SELECT shared.id, sum(shared.topics) AS topics, sum(shared.skills) AS skills
            FROM (
                SELECT other.course_id AS id, 1 AS topics, 0 AS skills
                FROM course_topics AS own JOIN course_topics AS other USING (topic_id)
                WHERE own.course_id = parent.id AND NOT EXISTS (
                    SELECT FROM course_topics AS closer JOIN topics AS child ON child.id = closer.topic_id
                    WHERE closer.course_id = parent.id AND child.parent_id = own.topic_id
                )
                UNION ALL
                SELECT other.course_id, 0, 1
                FROM course_skills AS own JOIN course_skills AS other USING (skill_id) WHERE own.course_id = parent.id
            ) AS shared
            GROUP BY shared.id
        ) AS alike
        JOIN courses AS other ON other.id = alike.id AND other.status = 'PUBLISHED'
        JOIN course_statistics AS counted ON counted.course_id = other.id
        WHERE cardinality(found.ids) < CAST(:limit AS bigint)
        AND other.id <> parent.id AND other.id <> ALL (found.ids)
        ORDER BY 3, 1 LIMIT CAST(:limit AS bigint)
    )
    ORDER BY tier, place, id LIMIT CAST(:limit AS bigint)
) AS chosen
"""
# A course that was deleted meanwhile has no neighbors any more.
_INSERT = """
INSERT INTO course_neighbors (course_id, neighbor_ids)
SELECT id, CAST(:neighbor_ids AS bigint[]) FROM courses WHERE id = CAST(:course_id AS bigint)
"""


class SimilarCourseRow(CourseRow):
    """A course that is like the course `parent_id`."""

    parent_id: int


_CHOSEN = (
    text(_SIMILAR)
    .columns(
        column("parent_id", BigInteger),
        column("similar_id", BigInteger),
        column("tier", Integer),
        column("place", Double),
    )
    .subquery("chosen")
)

SIMILAR: Statement[SimilarCourseRow] = Statement(
    select(_CHOSEN.c.parent_id, *COLUMNS)
    .select_from(COUNTED.join(_CHOSEN, _CHOSEN.c.similar_id == courses.c.id))
    .order_by(_CHOSEN.c.parent_id, _CHOSEN.c.tier, _CHOSEN.c.place, courses.c.id),
    SimilarCourseRow,
)


async def replace_neighbors(connection: AsyncConnection, neighbors: Mapping[int, Sequence[int]]) -> None:
    """Make these the neighbors of all courses; whoever reads meanwhile sees those before.

    Args:
        connection: of an open transaction.
        neighbors: by course, the most similar first.
    """
    await connection.execute(text("DELETE FROM course_neighbors"))
    if neighbors:
        rows = [{"course_id": key, "neighbor_ids": list(ids)} for key, ids in neighbors.items()]
        await connection.execute(text(_INSERT), rows)
