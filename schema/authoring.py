"""The mutations of authors and moderators: writing courses, and publishing them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.fields import command
from resolvers import assessment_edits, course_edits, editing, lesson_edits, module_edits, publishing
from schema.assessment_edits import AssessmentPayload, PutAssessmentInput, RemoveAssessmentInput
from schema.content_edits import (
    AddLessonInput,
    AddModuleInput,
    LessonPayload,
    ModulePayload,
    MoveLessonInput,
    MoveModuleInput,
    RemoveLessonInput,
    RemoveModuleInput,
    UpdateLessonInput,
    UpdateModuleInput,
)
from schema.course_edits import (
    CoursePayload,
    CourseVersionInput,
    CreateCourseInput,
    ReturnCourseToDraftInput,
    UpdateCourseInput,
)
from schema.errors import refusal_as
from schema.inputs import INPUT
from schema.policies import INSTRUCTOR, MODERATOR, SIGNED_IN

_COURSE = refusal_as(editing.CoursePayload)
_MODULE = refusal_as(module_edits.ModulePayload)
_LESSON = refusal_as(lesson_edits.LessonPayload)
_ASSESSMENT = refusal_as(assessment_edits.AssessmentPayload)


@strawberry.type
class AuthoringMutation:
    """Part of the mutation type. Each edit names the version that its author saw; a stale one is a CONFLICT."""

    @command(course_edits.create_course, policy=INSTRUCTOR, refusal=_COURSE)
    def create_course(self, input: Annotated[CreateCourseInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Begins a course as a draft that only its author sees. Refused with SLUG_TAKEN, or for a value."""
        raise NotImplementedError

    @command(course_edits.update_course, policy=INSTRUCTOR, refusal=_COURSE)
    def update_course(self, input: Annotated[UpdateCourseInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Changes what the draft of a course says; a published course gets a draft, and its learners see no change."""
        raise NotImplementedError

    @command(module_edits.add_module, policy=INSTRUCTOR, refusal=_MODULE)
    def add_module(self, input: Annotated[AddModuleInput, INPUT]) -> ModulePayload:  # noqa: A002
        """Adds a module to the draft of a course, which has at most 50."""
        raise NotImplementedError

    @command(module_edits.update_module, policy=INSTRUCTOR, refusal=_MODULE)
    def update_module(self, input: Annotated[UpdateModuleInput, INPUT]) -> ModulePayload:  # noqa: A002
        """Renames a module in the draft of a course."""
        raise NotImplementedError

    @command(module_edits.move_module, policy=INSTRUCTOR, refusal=_MODULE)
    def move_module(self, input: Annotated[MoveModuleInput, INPUT]) -> ModulePayload:  # noqa: A002
        """Puts a module of the draft in another place."""
        raise NotImplementedError

    @command(module_edits.remove_module, policy=INSTRUCTOR, refusal=_MODULE)
    def remove_module(self, input: Annotated[RemoveModuleInput, INPUT]) -> ModulePayload:  # noqa: A002
        """Removes a module from the draft, with all that is in it."""
        raise NotImplementedError

    @command(lesson_edits.add_lesson, policy=INSTRUCTOR, refusal=_LESSON)
    def add_lesson(self, input: Annotated[AddLessonInput, INPUT]) -> LessonPayload:  # noqa: A002
        """Adds a lesson to a module of the draft, which has at most 200."""
        raise NotImplementedError

    @command(lesson_edits.update_lesson, policy=INSTRUCTOR, refusal=_LESSON)
    def update_lesson(self, input: Annotated[UpdateLessonInput, INPUT]) -> LessonPayload:  # noqa: A002
        """Writes a lesson of the draft anew."""
        raise NotImplementedError

    @command(lesson_edits.move_lesson, policy=INSTRUCTOR, refusal=_LESSON)
    def move_lesson(self, input: Annotated[MoveLessonInput, INPUT]) -> LessonPayload:  # noqa: A002
        """Puts a lesson of the draft in another place, of its module or of another."""
        raise NotImplementedError

    @command(lesson_edits.remove_lesson, policy=INSTRUCTOR, refusal=_LESSON)
    def remove_lesson(self, input: Annotated[RemoveLessonInput, INPUT]) -> LessonPayload:  # noqa: A002
        """Removes a lesson from the draft."""
        raise NotImplementedError

    @command(assessment_edits.put_assessment, policy=INSTRUCTOR, refusal=_ASSESSMENT)
    def put_assessment(self, input: Annotated[PutAssessmentInput, INPUT]) -> AssessmentPayload:  # noqa: A002
        """Writes the assessment of a module of the draft, in place of the one that it has."""
        raise NotImplementedError

    @command(assessment_edits.remove_assessment, policy=INSTRUCTOR, refusal=_ASSESSMENT)
    def remove_assessment(self, input: Annotated[RemoveAssessmentInput, INPUT]) -> AssessmentPayload:  # noqa: A002
        """Removes the assessment of a module of the draft."""
        raise NotImplementedError

    @command(publishing.submit_course_for_review, policy=INSTRUCTOR, refusal=_COURSE)
    def submit_course_for_review(self, input: Annotated[CourseVersionInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Submits the draft of a course for review; it cannot be edited until it is published or returned."""
        raise NotImplementedError

    @command(publishing.return_course_to_draft, policy=SIGNED_IN, refusal=_COURSE)
    def return_course_to_draft(self, input: Annotated[ReturnCourseToDraftInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Takes a course out of review, by an author or a moderator; `CourseRevision.reviewNote` tells why."""
        raise NotImplementedError

    @command(publishing.publish_course, policy=MODERATOR, refusal=_COURSE)
    def publish_course(self, input: Annotated[CourseVersionInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Publishes what is in review. Refused with QUALITY, once for each rule that blocks, or PREREQUISITE_CYCLE."""
        raise NotImplementedError

    @command(publishing.archive_course, policy=INSTRUCTOR, refusal=_COURSE)
    def archive_course(self, input: Annotated[CourseVersionInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Takes no new learners any more; those who take the course go on."""
        raise NotImplementedError

    @command(publishing.restore_course, policy=INSTRUCTOR, refusal=_COURSE)
    def restore_course(self, input: Annotated[CourseVersionInput, INPUT]) -> CoursePayload:  # noqa: A002
        """Takes learners in an archived course again."""
        raise NotImplementedError
