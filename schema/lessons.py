"""Lessons as clients see them: what all have in common, and their kinds."""

from __future__ import annotations

import strawberry

from database.queries.lessons import LessonRow
from database.tables.revisions import LessonKind
from execution.fields import InstanceOf, batch, column
from resolvers import lessons as lesson_resolvers, progress as progress_resolvers
from schema.nodes import Node, global_id
from schema.policies import ANYONE
from schema.progress import LessonProgress


@strawberry.interface(
    description="One step of a module. New kinds may be added: show the title of a kind that you do not know."
)
class Lesson(Node):
    """A lesson."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Lesson"))
    title: str = column(ANYONE, "What it is called.")
    position: int = column(ANYONE, "Place in its module, from 0.")
    duration_seconds: int = column(ANYONE, "Seconds that it takes; 0 when unknown.")

    @batch(progress_resolvers.lesson_progress, policy=ANYONE)
    def viewer_progress(self) -> LessonProgress | None:
        """How far the caller is, in whichever revision that was; null before they began, or not taking the course."""
        raise NotImplementedError


@strawberry.type(description="A lesson to watch.")
class VideoLesson(Lesson):
    """A video."""

    @batch(lesson_resolvers.media_url, policy=ANYONE)
    def media_url(self) -> str | None:
        """Address of the video. Null unless the caller takes the course, teaches it or moderates it."""
        raise NotImplementedError

    @batch(lesson_resolvers.body, policy=ANYONE)
    def notes(self) -> str | None:
        """Notes to the video, in Markdown; null when there are none, or as for `mediaUrl`."""
        raise NotImplementedError

    is_type_of = InstanceOf(LessonRow, kind=LessonKind.VIDEO)


@strawberry.type(description="A lesson to read.")
class ArticleLesson(Lesson):
    """An article."""

    @batch(lesson_resolvers.body, policy=ANYONE)
    def body(self) -> str | None:
        """The article, in Markdown. Null unless the caller takes the course, teaches it or moderates it."""
        raise NotImplementedError

    is_type_of = InstanceOf(LessonRow, kind=LessonKind.ARTICLE)


@strawberry.type(description="A lesson to practice.")
class ExerciseLesson(Lesson):
    """An exercise."""

    @batch(lesson_resolvers.body, policy=ANYONE)
    def instructions(self) -> str | None:
        """What to do, in Markdown. Null unless the caller takes the course, teaches it or moderates it."""
        raise NotImplementedError

    is_type_of = InstanceOf(LessonRow, kind=LessonKind.EXERCISE)
