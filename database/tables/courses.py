"""Courses and what hangs on them: instructors, topics, skills, prerequisites, counters."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Float,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from database.tables.base import identity, metadata, moment, one_of, reference


class CourseLevel(StrEnum):
    """How much a course expects of its learners."""

    BEGINNER = "BEGINNER"
    INTERMEDIATE = "INTERMEDIATE"
    ADVANCED = "ADVANCED"
    ALL_LEVELS = "ALL_LEVELS"


class CourseStatus(StrEnum):
    """Where a course stands between its first draft and the archive."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


courses = Table(
    "courses",
    metadata,
    identity(),
    # Where an imported course came from; the pair makes an import idempotent.
    Column("source", Text),
    Column("source_id", Text),
    Column("slug", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("summary", Text),
    Column("description", Text),
    Column("level", Text, nullable=False),
    Column("language", Text, nullable=False, comment="BCP 47 tag, lower case"),
    Column("status", Text, nullable=False),
    Column("duration_minutes", Integer, nullable=False, server_default="0"),
    moment("published_at", nullable=True),
    moment("created_at"),
    moment("updated_at"),
    Column("version", Integer, nullable=False, server_default="1", comment="grows with every edit"),
    # By the stems of the course's own language and by its words, accents folded; see the migration `0004_search`.
    Column("search", TSVECTOR, Computed("search_document(title, summary, description, language)", persisted=True)),
    one_of("level", CourseLevel),
    one_of("status", CourseStatus),
    CheckConstraint("duration_minutes >= 0", name="duration_minutes"),
    CheckConstraint("(source IS NULL) = (source_id IS NULL)", name="source"),
    CheckConstraint("status NOT IN ('PUBLISHED', 'ARCHIVED') OR published_at IS NOT NULL", name="published_at"),
    UniqueConstraint("source", "source_id"),
    Index("courses_search_idx", "search", postgresql_using="gin"),
    Index("courses_newest_idx", "published_at", "id"),
    # What the length of the catalog is counted by.
    Index("courses_published_idx", "id", postgresql_where=text("status = 'PUBLISHED'")),
    Index("courses_title_idx", "title", "id"),
)

# Counters stand apart from `courses`, so that an enrollment rewrites a narrow row and no search index. A trigger gives
# every course its row at the end of the transaction that makes it.
course_statistics = Table(
    "course_statistics",
    metadata,
    reference("course_id", "courses.id", primary_key=True, autoincrement=False),
    Column("enrollment_count", Integer, nullable=False, server_default="0"),
    # Of the reviews that are not hidden.
    Column("rating_count", Integer, nullable=False, server_default="0"),
    Column("rating_sum", Integer, nullable=False, server_default="0"),
    # The average after ten more ratings of 3.5, so that one rating proves little: the weighted rating of IMDb, that is
    # the mean of a Dirichlet posterior. A fixed prior, and not the average of the platform, keeps a course's place
    # while others are rated.
    Column(
        "rating_rank",
        Float,
        Computed("(35 + rating_sum)::double precision / (10 + rating_count)", persisted=True),
        nullable=False,
    ),
    CheckConstraint("enrollment_count >= 0", name="enrollment_count"),
    CheckConstraint("rating_sum BETWEEN rating_count AND 5 * rating_count", name="rating_sum"),
    Index("course_statistics_popularity_idx", "enrollment_count", "course_id"),
    Index("course_statistics_rating_idx", "rating_rank", "course_id"),
)

instructors = Table(
    "instructors",
    metadata,
    identity(),
    Column("source", Text),
    Column("source_id", Text),
    Column("display_name", Text, nullable=False),
    # Whose profile it is; null for imported ones that nobody has claimed.
    reference("account_id", "accounts.id", ondelete="SET NULL", nullable=True, unique=True),
    CheckConstraint("(source IS NULL) = (source_id IS NULL)", name="source"),
    UniqueConstraint("source", "source_id"),
)

course_instructors = Table(
    "course_instructors",
    metadata,
    reference("course_id", "courses.id", primary_key=True),
    reference("instructor_id", "instructors.id", primary_key=True, index=True),
    Column("position", SmallInteger, nullable=False, server_default="0"),
)

course_topics = Table(
    "course_topics",
    metadata,
    reference("course_id", "courses.id", primary_key=True),
    reference("topic_id", "topics.id", primary_key=True, index=True, ondelete="RESTRICT"),
    Column("position", SmallInteger, nullable=False, server_default="0"),
)

course_skills = Table(
    "course_skills",
    metadata,
    reference("course_id", "courses.id", primary_key=True),
    reference("skill_id", "skills.id", primary_key=True, index=True, ondelete="RESTRICT"),
    Column("position", SmallInteger, nullable=False, server_default="0"),
)

# A trigger of the second migration refuses cycles, whoever inserts at the same time.
course_prerequisites = Table(
    "course_prerequisites",
    metadata,
    reference("course_id", "courses.id", primary_key=True),
    reference("prerequisite_id", "courses.id", primary_key=True, index=True),
    CheckConstraint("course_id <> prerequisite_id", name="not_its_own_prerequisite"),
)

# Written by a batch job from what learners take together, whole; a course may have none, and one that is gone may be
# named.
course_neighbors = Table(
    "course_neighbors",
    metadata,
    reference("course_id", "courses.id", primary_key=True, autoincrement=False),
    Column("neighbor_ids", ARRAY(BigInteger), nullable=False, comment="courses, the most similar first"),
)

# What titles and summaries are written with, for corrections of queries; kept by a trigger on `courses`.
search_words = Table(
    "search_words",
    metadata,
    Column("word", Text, primary_key=True, comment="lower case, accents folded"),
    Index("search_words_trigrams_idx", "word", postgresql_using="gist", postgresql_ops={"word": "gist_trgm_ops"}),
)
