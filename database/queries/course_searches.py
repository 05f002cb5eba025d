"""Statements that decide how a search is read, and how its words may be corrected."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.sql import ClauseElement

from database.rows import Row
from database.statements import Statement


class ReadingRow(Row):
    """What a search finds among all published courses; `starting`: if its last word may go on."""

    exact: bool
    starting: bool


class SpellingRow(Row):
    """A word that published courses have and that looks like the word `asked`; null where there is none.

    `known` says whether the asked word is found itself, and `starting` whether it begins another one.
    """

    asked: str
    known: bool
    starting: bool
    word: str | None
    similarity: float | None
    courses: int | None


_FOUND = """
EXISTS (
    SELECT FROM courses JOIN {asked} ON asked.configuration = search_configuration(courses.language)
    WHERE courses.search @@ (
        SELECT string_agg('(' || every.query::text || ')', '|')::tsquery FROM {every} WHERE every.query::text <> ''
    ) AND courses.search @@ asked.query AND courses.status = 'PUBLISHED'
)
"""


def _found(told: str, prefix: str) -> str:
    called = f"search_queries({told}, {prefix})"
    return _FOUND.format(asked=f"{called} AS asked", every=f"{called} AS every")


def _statement(sql: str) -> ClauseElement:
    return text(sql.replace("::", r"\:\:"))


READING: Statement[ReadingRow] = Statement(
    _statement(
        f"""
        WITH found AS MATERIALIZED (SELECT {_found("CAST(:query AS text)", "false")} AS exact)
        SELECT exact, CASE WHEN exact THEN true ELSE {_found("CAST(:query AS text)", "true")} END AS starting FROM found
        """  # noqa: S608 - no value is part of the text.
    ),
    ReadingRow,
)

# The nearest words by trigrams, of which those stay that a published course has.
SPELLINGS: Statement[SpellingRow] = Statement(
    _statement(
        f"""
        WITH wanted AS MATERIALIZED (
            SELECT told.word, search_folded(told.word) AS folded, {_found("told.word", "false")} AS known
            FROM unnest(CAST(:words AS text[])) AS told (word)
        ), state AS MATERIALIZED (
            SELECT wanted.*, CASE WHEN known THEN true ELSE {_found("wanted.word", "true")} END AS starting FROM wanted
        )
        SELECT state.word AS asked, state.known, state.starting, near.word, near.similarity, near.courses
        FROM state LEFT JOIN LATERAL (
            SELECT candidate.word, candidate.similarity, used.courses
            FROM (
                SELECT search_words.word, 1 - (search_words.word <-> state.folded) AS similarity
                FROM search_words ORDER BY search_words.word <-> state.folded, search_words.word LIMIT 40
            ) AS candidate
            CROSS JOIN LATERAL (
                SELECT CAST(count(*) AS integer) AS courses FROM (
                    SELECT FROM courses
                    WHERE courses.search @@ plainto_tsquery('pg_catalog.simple', candidate.word)
                    AND courses.status = 'PUBLISHED' LIMIT 100
                ) AS having_it
            ) AS used
            WHERE NOT state.known AND used.courses > 0
        ) AS near ON true
        """  # noqa: S608 - as above.
    ),
    SpellingRow,
)
