"""The practical limit: an endpoint for each operation, written by hand, that sends what PostgreSQL wrote as JSON.

One statement a request, no objects in Python. It is what the other contestants pay for being general.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from security.policies import Identity
from tests.load.operations import OPERATIONS
from tests.load.wire import body_of, respond


def opaque(kind: str, key: str) -> str:
    """Return the expression of an opaque id."""
    return f"rtrim(encode(convert_to('{kind}:' || {key}, 'UTF8'), 'base64'), '=')"


_CATALOG = f"""
SELECT json_build_object('data', json_build_object('courses', json_build_object(
  'totalCount', (SELECT count(*) FROM courses WHERE status = 'PUBLISHED'),
  'nodes', (SELECT json_agg(json_build_object(
    'id', {opaque("Course", "c.id")}, 'slug', c.slug, 'title', c.title, 'summary', c.summary, 'level', c.level,
    'language', c.language, 'durationMinutes', c.duration_minutes, 'publishedAt', c.published_at,
    'enrollmentCount', c.enrollment_count,
    'topics', (SELECT coalesce(json_agg(json_build_object('id', {opaque("Topic", "t.id")}, 'slug', t.slug,
        'name', t.name) ORDER BY ct.position, t.id), '[]')
      FROM course_topics ct JOIN topics t ON t.id = ct.topic_id WHERE ct.course_id = c.id),
    'instructors', json_build_object('nodes', (SELECT coalesce(json_agg(json_build_object(
        'id', {opaque("Instructor", "i.id")}, 'displayName', i.display_name)), '[]')
      FROM (SELECT i.id, i.display_name FROM course_instructors ci JOIN instructors i ON i.id = ci.instructor_id
        WHERE ci.course_id = c.id ORDER BY ci.position, i.id LIMIT 1) i)),
    'modules', (SELECT coalesce(json_agg(json_build_object('id', {opaque("Module", "m.id")}, 'title', m.title,
        'lessons', (SELECT coalesce(json_agg(json_build_object('id', {opaque("Lesson", "l.id")}, 'title', l.title,
            'durationSeconds', l.duration_seconds) ORDER BY l.position), '[]')
          FROM lessons l WHERE l.module_id = m.id)) ORDER BY m.position), '[]')
      FROM course_revisions r JOIN modules m ON m.revision_id = r.id
      WHERE r.course_id = c.id AND r.status = 'PUBLISHED')
  )) FROM (SELECT c.*, s.enrollment_count FROM courses c JOIN course_statistics s ON s.course_id = c.id
    WHERE c.status = 'PUBLISHED' ORDER BY s.enrollment_count DESC, c.id DESC LIMIT $1::bigint) c))))::text
"""  # noqa: S608 - all of it is written here.

_MY_COURSES = f"""
SELECT json_build_object('data', json_build_object('viewer', (SELECT json_build_object(
  'id', {opaque("Viewer", "a.id")},
  'enrollments', json_build_object('nodes', (SELECT coalesce(json_agg(json_build_object(
    'id', {opaque("Enrollment", "e.id")}, 'status', e.status, 'progress', e.progress, 'enrolledAt', e.enrolled_at,
    'course', json_build_object('id', {opaque("Course", "c.id")}, 'slug', c.slug, 'title', c.title,
      'level', c.level, 'durationMinutes', c.duration_minutes))), '[]')
    FROM (SELECT * FROM enrollments WHERE learner_id = a.learner_id AND status IN ('ACTIVE', 'COMPLETED')
      ORDER BY enrolled_at DESC, id DESC LIMIT $1::bigint) e JOIN courses c ON c.id = e.course_id)))
  FROM accounts a WHERE a.id = $2::bigint)))::text
"""  # noqa: S608 - as above.

_COURSE = f"""
SELECT json_build_object('data', json_build_object('course', (SELECT json_build_object(
  'id', {opaque("Course", "id")}, 'slug', slug, 'title', title, 'summary', summary, 'level', level,
  'language', language) FROM courses WHERE slug = $1 AND status = 'PUBLISHED')))::text
"""  # noqa: S608 - as above.

STATEMENTS = {"Q1": _CATALOG, "Q2": _MY_COURSES, "Q3": _COURSE}


@asynccontextmanager
async def application(url: str, identity: Identity) -> AsyncIterator[ASGIApp]:
    """Yield the application."""
    statements = {each.sha256: STATEMENTS[each.name] for each in OPERATIONS}
    # Nothing is left on a connection that would have to be reset.
    pool = await asyncpg.create_pool(url, min_size=1, max_size=8, server_settings={"timezone": "UTC"}, reset=_nothing)
    async with pool:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            asked = orjson.loads(await body_of(receive))
            arguments = list(asked["variables"].values())
            if statements[asked["documentId"]] is _MY_COURSES:
                arguments.append(identity.account_id)
            text: str = await pool.fetchval(statements[asked["documentId"]], *arguments)
            await respond(send, text.encode())

        yield app


async def _nothing(_connection: object) -> None:
    """Leave a connection as it is."""
