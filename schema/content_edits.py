"""Writing modules and lessons as clients do it."""

from __future__ import annotations

import strawberry

from database.tables.revisions import LessonKind
from execution.fields import column
from resolvers import lesson_edits, module_edits
from schema.course_edits import CourseEditInput
from schema.courses import Course
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.lessons import Lesson
from schema.policies import ANYONE
from schema.revisions import Module

NEXT = "The course with its next version; null when refused."
MODULE = "A module of the course, of whatever revision."
_LESSON = "A lesson of the course, of whatever revision."
_PLACE = "Its place, from 0; the end when left out."


@strawberry.type(description="The answer of a mutation that changes a module.")
class ModulePayload:
    """The answer of a mutation that changes a module."""

    course: Course | None = column(ANYONE, NEXT)
    module: Module | None = column(ANYONE, "The module in the draft; null when removed or refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of a mutation that changes a lesson.")
class LessonPayload:
    """The answer of a mutation that changes a lesson."""

    course: Course | None = column(ANYONE, NEXT)
    lesson: Lesson | None = column(ANYONE, "The lesson in the draft; null when removed or refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="A module to add.")
class AddModuleInput(CourseEditInput):
    """Input of `addModule`."""

    title: str = strawberry.field(description="1 to 200 characters.")
    position: int | None = strawberry.field(default=strawberry.UNSET, description=_PLACE)

    def to_criteria(self) -> module_edits.AddModule:
        """Return the resolver's form."""
        return module_edits.AddModule(self.target, self.title, given(self.position))


@strawberry.input(description="A module to rename.")
class UpdateModuleInput(CourseEditInput):
    """Input of `updateModule`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)
    title: str = strawberry.field(description="1 to 200 characters.")

    def to_criteria(self) -> module_edits.UpdateModule:
        """Return the resolver's form."""
        return module_edits.UpdateModule(self.target, self.module_id, self.title)


@strawberry.input(description="A module to put in another place.")
class MoveModuleInput(CourseEditInput):
    """Input of `moveModule`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)
    position: int = strawberry.field(description="Its new place, from 0.")

    def to_criteria(self) -> module_edits.MoveModule:
        """Return the resolver's form."""
        return module_edits.MoveModule(self.target, self.module_id, self.position)


@strawberry.input(description="A module to remove, with its lessons and its assessment.")
class RemoveModuleInput(CourseEditInput):
    """Input of `removeModule`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)

    def to_criteria(self) -> module_edits.RemoveModule:
        """Return the resolver's form."""
        return module_edits.RemoveModule(self.target, self.module_id)


@strawberry.input(description="A lesson to watch.")
class VideoLessonInput:
    """A video."""

    title: str = strawberry.field(description="1 to 200 characters.")
    media_url: str = strawberry.field(description="Its http or https address.")
    duration_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="At most a day.")
    notes: str | None = strawberry.field(
        default=strawberry.UNSET, description="Notes, in Markdown; at most 100,000 characters."
    )


@strawberry.input(description="A lesson to read.")
class ArticleLessonInput:
    """An article."""

    title: str = strawberry.field(description="1 to 200 characters.")
    body: str = strawberry.field(description="The article, in Markdown; at most 100,000 characters.")
    duration_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="At most a day.")


@strawberry.input(description="A lesson to practice.")
class ExerciseLessonInput:
    """An exercise."""

    title: str = strawberry.field(description="1 to 200 characters.")
    instructions: str = strawberry.field(description="What to do, in Markdown; at most 100,000 characters.")
    duration_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="At most a day.")


@strawberry.input(one_of=True, description="What a lesson says: exactly one of its kinds.")
class LessonInput:
    """A lesson."""

    video: VideoLessonInput | None = strawberry.field(default=strawberry.UNSET, description="To watch.")
    article: ArticleLessonInput | None = strawberry.field(default=strawberry.UNSET, description="To read.")
    exercise: ExerciseLessonInput | None = strawberry.field(default=strawberry.UNSET, description="To practice.")

    def to_criteria(self) -> lesson_edits.LessonContent:
        """Return the resolver's form."""
        if video := given(self.video):
            seconds, notes = given(video.duration_seconds), given(video.notes)
            return lesson_edits.LessonContent(LessonKind.VIDEO, "video", video.title, seconds, video.media_url, notes)
        if article := given(self.article):
            seconds = given(article.duration_seconds)
            return lesson_edits.LessonContent(LessonKind.ARTICLE, "article", article.title, seconds, body=article.body)
        exercise = self.exercise
        assert exercise is not None  # noqa: S101 - exactly one is given.
        return lesson_edits.LessonContent(
            LessonKind.EXERCISE,
            "exercise",
            exercise.title,
            given(exercise.duration_seconds),
            body=exercise.instructions,
        )


@strawberry.input(description="A lesson to add.")
class AddLessonInput(CourseEditInput):
    """Input of `addLesson`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)
    lesson: LessonInput = strawberry.field(description="What it says.")
    position: int | None = strawberry.field(default=strawberry.UNSET, description=_PLACE)

    def to_criteria(self) -> lesson_edits.AddLesson:
        """Return the resolver's form."""
        return lesson_edits.AddLesson(self.target, self.module_id, self.lesson.to_criteria(), given(self.position))


@strawberry.input(description="A lesson to write anew: all that it said before is replaced.")
class UpdateLessonInput(CourseEditInput):
    """Input of `updateLesson`."""

    lesson_id: strawberry.ID = strawberry.field(description=_LESSON)
    lesson: LessonInput = strawberry.field(description="What it says.")

    def to_criteria(self) -> lesson_edits.UpdateLesson:
        """Return the resolver's form."""
        return lesson_edits.UpdateLesson(self.target, self.lesson_id, self.lesson.to_criteria())


@strawberry.input(description="A lesson to put in another place.")
class MoveLessonInput(CourseEditInput):
    """Input of `moveLesson`."""

    lesson_id: strawberry.ID = strawberry.field(description=_LESSON)
    module_id: strawberry.ID = strawberry.field(description="The module that it is put in.")
    position: int | None = strawberry.field(default=strawberry.UNSET, description=_PLACE)

    def to_criteria(self) -> lesson_edits.MoveLesson:
        """Return the resolver's form."""
        return lesson_edits.MoveLesson(self.target, self.lesson_id, self.module_id, given(self.position))


@strawberry.input(description="A lesson to remove.")
class RemoveLessonInput(CourseEditInput):
    """Input of `removeLesson`."""

    lesson_id: strawberry.ID = strawberry.field(description=_LESSON)

    def to_criteria(self) -> lesson_edits.RemoveLesson:
        """Return the resolver's form."""
        return lesson_edits.RemoveLesson(self.target, self.lesson_id)
