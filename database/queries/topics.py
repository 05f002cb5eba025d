"""Statements about topics and skills."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select

from database.queries.written import Related, Table, Value
from database.rows import Row
from database.statements import Statement
from database.tables.courses import course_skills, course_topics
from database.tables.topics import skills, topics


class TopicRow(Row):
    """A topic."""

    id: int
    slug: str
    name: str
    labels: dict[str, str]
    parent_id: int | None


class CourseTopicRow(TopicRow):
    """A topic of the course `course_id`."""

    course_id: int


class CourseSkillsRow(Row):
    """All skills of one course, most important first."""

    course_id: int
    names: list[str]


class CountRow(Row):
    """A number."""

    count: int


COLUMNS = (topics.c.id, topics.c.slug, topics.c.name, topics.c.labels, topics.c.parent_id)
TOPIC = Table("Topic", {each.name: each for each in COLUMNS})
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))

BY_IDS = Statement(select(*COLUMNS).where(topics.c.id == _IDS), TopicRow)

BY_SLUGS = Statement(select(*COLUMNS).where(topics.c.slug == any_(bindparam("slugs", type_=ARRAY(Text)))), TopicRow)

ENGLISH_NAME = Value("name")
"""What a topic is called where no language is asked for."""

_BY_SLUG = select(*COLUMNS).order_by(topics.c.parent_id, topics.c.slug)
CHILDREN = Statement(_BY_SLUG.where(topics.c.parent_id == _IDS), TopicRow)
CHILDREN_OF_TOPIC = Related(TOPIC, _BY_SLUG, topics.c.parent_id)
PARENT_OF_TOPIC = Related(TOPIC, select(*COLUMNS), topics.c.id, parent="parent_id", many=False)

COUNT = Statement(select(func.count().label("count")).select_from(topics), CountRow)

_OF_COURSES = (
    select(course_topics.c.course_id, *COLUMNS)
    .join_from(course_topics, topics)
    .order_by(course_topics.c.course_id, course_topics.c.position, topics.c.id)
)
OF_COURSES = Statement(_OF_COURSES.where(course_topics.c.course_id == _IDS), CourseTopicRow)
TOPICS_OF_COURSE = Related(TOPIC, _OF_COURSES, course_topics.c.course_id)

SKILLS_OF_COURSES = Statement(
    select(
        course_skills.c.course_id,
        func.array_agg(skills.c.name, type_=ARRAY(Text))
        .aggregate_order_by(course_skills.c.position, skills.c.id)
        .label("names"),
    )
    .join_from(course_skills, skills)
    .where(course_skills.c.course_id == _IDS)
    .group_by(course_skills.c.course_id),
    CourseSkillsRow,
)


@lru_cache(maxsize=4)
def page(*, after: bool, before: bool, backward: bool) -> Statement[TopicRow]:
    """Return the statement of a page of topics by slug: parameters `limit`, and `after` and `before` if asked."""
    statement = select(*COLUMNS).limit(bindparam("limit", type_=BigInteger))
    if after:
        statement = statement.where(topics.c.slug > bindparam("after", type_=Text))
    if before:
        statement = statement.where(topics.c.slug < bindparam("before", type_=Text))
    return Statement(statement.order_by(topics.c.slug.desc() if backward else topics.c.slug), TopicRow)
