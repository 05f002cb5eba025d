"""The way of a course to its learners on a real database: review, the gate of quality, revisions, the archive."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from core.clock import ManualClock
from core.errors import CommandError, UserErrorCode
from core.ids import encode_id
from database.queries import courses as queries
from database.session import Database
from database.tables.accounts import Role
from database.tables.assessments import QuestionKind
from resolvers import assessment_edits, assessments, course_edits, lessons, publishing, quality, revisions, studio
from resolvers.assessment_edits import GivenChoice, GivenQuestion, PutAssessment, RemoveAssessment
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.course_edits import UpdateCourse
from resolvers.publishing import ReturnCourse
from tests.small_accounts import Contexts, trail
from tests.small_authors import DESCRIPTION, target
from tests.small_content import take


@pytest.fixture
def moderator(author: Context, strangers: Contexts) -> Context:
    """A request of somebody who publishes."""
    context = strangers()
    context.identity = replace(caller(author), account_id=77, roles=frozenset({Role.MODERATOR.value}))
    return context


async def rows(context: Context, course: int = 1) -> Any:
    """Return the row of a course, in a list."""
    return await context.reader.fetch(queries.BY_IDS, ids=[course])


async def refusals(work: Any) -> list[UserErrorCode]:
    """Return the codes that a command is refused with."""
    with pytest.raises(CommandError) as refused:
        await work
    return [one.code for one in (refused.value, *refused.value.others)]


async def described(author: Context, version: int = 1) -> int:
    """Give course 1's draft what the gate demands, and return the next version."""
    await course_edits.update_course(author, UpdateCourse(target(1, version), {"description": DESCRIPTION}))
    return version + 1


async def test_course_goes_from_draft_through_review_to_its_learners(
    author: Context, moderator: Context, strangers: Contexts, clock: ManualClock, catalog: Database
) -> None:
    """New learners get the new revision; whoever has started keeps the one before."""
    student = strangers()
    student.identity = replace(caller(author), account_id=78, roles=frozenset())
    await take(catalog, caller(student).learner_id, clock())
    version = await described(author)
    submitted = await publishing.submit_course_for_review(author, target(1, version))
    assert submitted.course is not None
    assert ("PUBLISHED", version + 1) == (submitted.course.status, submitted.course.version)
    (waiting,) = await studio.courses_in_review(moderator, [None])
    assert [1] == [row.id for row in waiting.nodes]
    assert [1] == await waiting.count.many(moderator, [None])
    published = await publishing.publish_course(moderator, target(1, version + 1))
    assert published.course is not None
    assert ("Course 01, renewed", DESCRIPTION) == (published.course.title, published.course.description)
    (page,) = await revisions.revisions(moderator, await rows(moderator))
    assert [(2, "PUBLISHED"), (1, "SUPERSEDED")] == [(row.number, row.status) for row in page.nodes]
    for context, expected in ((strangers(), ["Lesson 1", "Lesson 2", "Lesson 3", "Lesson 5"]), (student, ["Lesson 4"])):
        (modules,) = await revisions.modules(context, await rows(context))
        *_, last = await lessons.lessons(context, modules)
        assert expected == [lesson.title for lesson in last]
    assert ["submit_course_for_review", "publish_course"] == [row[0] for row in await trail(catalog)][-2:]


async def test_course_in_review_is_not_edited_and_comes_back_with_a_note(author: Context, moderator: Context) -> None:
    """Its authors read why, and the note goes when they submit it again."""
    await publishing.submit_course_for_review(author, target(1, 1))
    edit = course_edits.update_course(author, UpdateCourse(target(1, 2), {"title": "Later"}))
    assert [UserErrorCode.INVALID_STATE] == await refusals(edit)
    assert [UserErrorCode.REQUIRED] == await refusals(
        publishing.return_course_to_draft(moderator, ReturnCourse(target(1, 2), " "))
    )
    await publishing.return_course_to_draft(moderator, ReturnCourse(target(1, 2), "Describe it."))
    (draft,) = await revisions.draft(author, await rows(author))
    assert draft is not None
    assert ("DRAFT", "Describe it.", None) == (draft.status, draft.review_note, draft.submitted_at)
    await publishing.submit_course_for_review(author, target(1, 3))
    (draft,) = await revisions.draft(author, await rows(author))
    assert draft is not None
    assert draft.review_note is None


async def test_course_that_breaks_blocking_rules_is_not_published(author: Context, moderator: Context) -> None:
    """Each rule is told with its place, and `quality` says the same to the author beforehand."""
    await publishing.submit_course_for_review(author, target(1, 1))
    (judged,) = await quality.quality(author, await rows(author))
    blocking = [issue.rule for issue in judged.issues if issue.severity.value == "BLOCKING"]
    assert not judged.publishable
    assert blocking
    with pytest.raises(CommandError) as refused:
        await publishing.publish_course(moderator, target(1, 2))
    told = [refused.value, *refused.value.others]
    assert [UserErrorCode.QUALITY] * len(blocking) == [one.code for one in told]
    assert blocking == [one.message.partition(":")[0] for one in told]
    assert all(one.field and one.field[0] == "course" for one in told)
    (page,) = await revisions.revisions(moderator, await rows(moderator))
    assert ["IN_REVIEW", "PUBLISHED"] == [row.status for row in page.nodes]


async def test_of_publishing_and_editing_at_once_one_is_told_of_the_other(author: Context, moderator: Context) -> None:
    """The version decides: what was published is what the moderator saw."""
    version = await described(author)
    await publishing.submit_course_for_review(author, target(1, version))
    back = publishing.return_course_to_draft(author, ReturnCourse(target(1, version + 1), "Not yet."))
    done = await asyncio.gather(
        back, publishing.publish_course(moderator, target(1, version + 1)), return_exceptions=True
    )
    (refused,) = [one for one in done if isinstance(one, CommandError)]
    assert UserErrorCode.CONFLICT is refused.code


async def test_only_moderators_publish(author: Context) -> None:
    """An author alone cannot, whatever they call."""
    await publishing.submit_course_for_review(author, target(1, 1))
    assert [UserErrorCode.FORBIDDEN] == await refusals(publishing.publish_course(author, target(1, 2)))


async def test_archived_course_takes_no_edits_until_it_is_restored(author: Context) -> None:
    """There and back again, one version each."""
    archived = await publishing.archive_course(author, target(2, 1))
    assert archived.course is not None
    assert "ARCHIVED" == archived.course.status
    edit = course_edits.update_course(author, UpdateCourse(target(2, 2), {"title": "Later"}))
    assert [UserErrorCode.INVALID_STATE] == await refusals(edit)
    assert [UserErrorCode.INVALID_STATE] == await refusals(publishing.archive_course(author, target(2, 2)))
    restored = await publishing.restore_course(author, target(2, 2))
    assert restored.course is not None
    assert "PUBLISHED" == restored.course.status
    assert [UserErrorCode.INVALID_STATE] == await refusals(publishing.restore_course(author, target(2, 3)))
    assert [UserErrorCode.INVALID_STATE] == await refusals(publishing.submit_course_for_review(author, target(2, 3)))


CHOICES = (GivenChoice("Right", right=True), GivenChoice("Wrong", right=False, id="c0"))


def single(**changes: Any) -> GivenQuestion:
    """Return a question with one right choice."""
    question = GivenQuestion(QuestionKind.SINGLE_CHOICE, "singleChoice", "Which?", 1.0, choices=CHOICES)
    return replace(question, **changes)


def quiz(*questions: GivenQuestion, version: int = 1, **changes: Any) -> PutAssessment:
    """Return an assessment of the draft's module."""
    return replace(PutAssessment(target(1, version), encode_id("Module", 21), "Quiz", 0.5, questions), **changes)


async def test_assessment_is_written_as_a_whole(author: Context) -> None:
    """Questions keep the lineage of those that they name; keys are stored as grading reads them."""
    numeric = GivenQuestion(QuestionKind.NUMERIC, "numeric", "How many?", 2.0, number=3, tolerance=0.5)
    short = GivenQuestion(QuestionKind.SHORT_ANSWER, "shortAnswer", "Say it.", 1.0, accepted=("it",))
    put = await assessment_edits.put_assessment(author, quiz(single(), numeric, short, attempt_limit=2))
    assert put.assessment is not None
    assert (3, 4.0, 2) == (put.assessment.question_count, put.assessment.max_score, put.assessment.attempt_limit)
    (asked,) = await assessments.questions(author, [put.assessment])
    assert [{"choices": ["c1"]}, {"number": 3.0, "tolerance": 0.5}, {"texts": ["it"]}] == [q.answer_key for q in asked]
    assert ["c1", "c0"] == [choice["id"] for choice in asked[0].choices]
    kept = single(id=encode_id("Question", asked[0].id), prompt="Which one?")
    again = await assessment_edits.put_assessment(author, quiz(kept, version=2))
    assert again.assessment is not None
    assert put.assessment.id == again.assessment.id
    await assessment_edits.remove_assessment(author, RemoveAssessment(target(1, 3), encode_id("Module", 21)))
    assert [UserErrorCode.NOT_FOUND] == await refusals(
        assessment_edits.remove_assessment(author, RemoveAssessment(target(1, 4), encode_id("Module", 21)))
    )


WRONG: dict[str, tuple[PutAssessment, UserErrorCode, tuple[str, ...]]] = {
    "no question": (quiz(), UserErrorCode.REQUIRED, ("questions",)),
    "no right choice": (
        quiz(single(choices=(GivenChoice("A", right=False), GivenChoice("B", right=False)))),
        UserErrorCode.INVALID,
        ("questions", "0", "singleChoice", "choices"),
    ),
    "one choice": (
        quiz(single(), single(choices=CHOICES[:1])),
        UserErrorCode.INVALID,
        ("questions", "1", "singleChoice", "choices"),
    ),
    "same id twice": (
        quiz(single(choices=(replace(CHOICES[0], id="c0"), CHOICES[1]))),
        UserErrorCode.INVALID,
        ("questions", "0", "singleChoice", "choices"),
    ),
    "too many choices": (
        quiz(single(choices=CHOICES * 11)),
        UserErrorCode.TOO_MANY,
        ("questions", "0", "singleChoice", "choices"),
    ),
    "no points": (quiz(single(points=0.0)), UserErrorCode.INVALID, ("questions", "0", "singleChoice", "points")),
    "endless points": (
        quiz(single(points=float("inf"))),
        UserErrorCode.INVALID,
        ("questions", "0", "singleChoice", "points"),
    ),
    "negative tolerance": (
        quiz(GivenQuestion(QuestionKind.NUMERIC, "numeric", "How many?", 1.0, number=1, tolerance=-1)),
        UserErrorCode.INVALID,
        ("questions", "0", "numeric", "tolerance"),
    ),
    "no number": (
        quiz(GivenQuestion(QuestionKind.NUMERIC, "numeric", "How many?", 1.0, number=float("nan"))),
        UserErrorCode.INVALID,
        ("questions", "0", "numeric", "number"),
    ),
    "question of nowhere": (
        quiz(single(id=encode_id("Question", 999))),
        UserErrorCode.NOT_FOUND,
        ("questions", "0", "singleChoice", "id"),
    ),
    "same question twice": (
        quiz(single(id=encode_id("Question", 11)), single(id=encode_id("Question", 11))),
        UserErrorCode.NOT_FOUND,
        ("questions", "1", "singleChoice", "id"),
    ),
    "passing more than everything": (quiz(single(), passing_share=1.1), UserErrorCode.INVALID, ("passingShare",)),
    "too many questions": (quiz(*[single()] * 201), UserErrorCode.TOO_MANY, ("questions",)),
}


@pytest.mark.parametrize("name", WRONG)
async def test_assessment_that_cannot_be_graded_is_refused_at_its_path(author: Context, name: str) -> None:
    """And nothing changes."""
    put, code, path = WRONG[name]
    with pytest.raises(CommandError) as refused:
        await assessment_edits.put_assessment(author, put)
    assert (code, ("input", *path)) == (refused.value.code, refused.value.field)
    assert 1 == (await rows(author))[0].version
