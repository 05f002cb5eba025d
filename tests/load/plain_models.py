"""The baseline's ORM: the columns that the measured operations need."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Declarative base."""

    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012 - as SQLAlchemy documents it.


class CourseModel(Base):
    """A course."""

    __tablename__ = "courses"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str | None]
    level: Mapped[str]
    language: Mapped[str]
    status: Mapped[str]
    duration_minutes: Mapped[int]
    published_at: Mapped[datetime | None]


class StatisticsModel(Base):
    """How many learners a course has."""

    __tablename__ = "course_statistics"
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), primary_key=True)
    enrollment_count: Mapped[int]


class TopicModel(Base):
    """A topic."""

    __tablename__ = "topics"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]


class CourseTopicModel(Base):
    """A topic of a course."""

    __tablename__ = "course_topics"
    course_id: Mapped[int] = mapped_column(primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topics.id"), primary_key=True)
    position: Mapped[int]


class InstructorModel(Base):
    """Somebody who teaches."""

    __tablename__ = "instructors"
    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str]


class CourseInstructorModel(Base):
    """Who teaches a course."""

    __tablename__ = "course_instructors"
    course_id: Mapped[int] = mapped_column(primary_key=True)
    instructor_id: Mapped[int] = mapped_column(ForeignKey("instructors.id"), primary_key=True)
    position: Mapped[int]


class RevisionModel(Base):
    """What a course consists of."""

    __tablename__ = "course_revisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int]
    status: Mapped[str]


class ModuleModel(Base):
    """A part of a course."""

    __tablename__ = "modules"
    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("course_revisions.id"))
    position: Mapped[int]
    title: Mapped[str]


class LessonModel(Base):
    """A step of a module."""

    __tablename__ = "lessons"
    id: Mapped[int] = mapped_column(primary_key=True)
    module_id: Mapped[int]
    position: Mapped[int]
    title: Mapped[str]
    duration_seconds: Mapped[int]


class AccountModel(Base):
    """An account."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    learner_id: Mapped[int]


class EnrollmentModel(Base):
    """Somebody in a course."""

    __tablename__ = "enrollments"
    id: Mapped[int] = mapped_column(primary_key=True)
    learner_id: Mapped[int]
    course_id: Mapped[int]
    status: Mapped[str]
    progress: Mapped[float]
    enrolled_at: Mapped[datetime]
