"""What authors do to grades on a real database: by hand, and by putting a wrong key right for everybody at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from core.clock import ManualClock
from core.errors import CommandError, UserErrorCode
from core.ids import encode_id
from database.queries import attempts as queries
from database.queries.attempts import AttemptRow
from database.session import Database
from database.tables.assessments import questions
from database.tables.attempts import attempt_answers, attempts as table
from database.tables.audit import audit_log
from database.tables.enrollments import enrollments as enrollment_table
from database.tables.learners import learners
from resolvers import attempt_views, attempts, courses, enrollments, regrading
from resolvers.answers import Answer, NewAnswerKey
from resolvers.attempts import QuestionAnswer, StartAttempt, SubmitAttempt
from resolvers.context import Context
from resolvers.enrollments import Enroll
from resolvers.pages import total_count
from resolvers.regrading import CorrectAnswerKey, GradeAnswer
from tests.small_accounts import Contexts, trail
from tests.small_learning import (
    COURSE_ID,
    QUESTIONS,
    add_revision,
    another,
    assessment_id,
    lineage,
    question_id,
    told,
    warm,
)

ESSAYS: list[dict[str, Any]] = [
    {"kind": "SHORT_ANSWER", "points": points, "choices": [], "answer_key": {"texts": []}} for points in (4, 6)
]
FIRST_B = NewAnswerKey(choice_ids=("b",))


async def submitted(context: Context, *answers: QuestionAnswer) -> AttemptRow:
    """Start and submit an attempt."""
    started = (await attempts.start_attempt(context, StartAttempt(assessment_id()))).attempt
    assert started is not None
    row = (await attempts.submit_attempt(context, SubmitAttempt(encode_id("Attempt", started.id), answers))).attempt
    assert row is not None
    return row


async def graded(
    context: Context, attempt: AttemptRow, question: int, points: float, feedback: str | None = None
) -> AttemptRow:
    """Grade an answer by hand."""
    given = GradeAnswer(encode_id("Attempt", attempt.id), question_id(question), points, feedback)
    row = (await regrading.grade_answer(context, given)).attempt
    assert row is not None
    return row


async def corrected(context: Context, key: NewAnswerKey, question: int = 1, revision: int = 1) -> int:
    """Put the key of a question right and return how many attempts are graded otherwise."""
    given = CorrectAnswerKey(question_id(question, revision), key)
    return (await regrading.correct_answer_key(context, given)).regraded_attempts


async def refused(command: object) -> tuple[UserErrorCode, tuple[str, ...] | None]:
    """Run a command that must be refused and return why, and where."""
    with pytest.raises(CommandError) as error:
        await command  # type: ignore[misc]
    return error.value.code, error.value.field


@pytest.fixture
async def essayist(learner: Context, catalog: Database, clock: ManualClock) -> Context:
    """A request of somebody who takes course 1, whose assessment has two questions for an instructor to grade."""
    await add_revision(catalog, 1, at=clock(), asked=[*ESSAYS, QUESTIONS[2]])
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    return learner


ESSAY = (
    QuestionAnswer(question_id(1), Answer(text="Because.")),
    QuestionAnswer(question_id(2), Answer(text="Therefore.")),
)


async def test_attempt_is_graded_when_the_last_answer_is(essayist: Context, teacher: Context) -> None:
    """Until then the learner's attempt has no score; then it has, with an event and a row in the audit trail."""
    attempt = await submitted(essayist, *ESSAY)
    first = await graded(teacher, attempt, 1, 3.5, "Say why.")
    assert ("SUBMITTED", None) == (first.status, first.score)
    last = await graded(teacher, attempt, 2, 6)
    assert ("GRADED", 9.5, 12.0, True) == (last.status, last.score, last.max_score, last.passed)
    (event,) = await told(essayist.database, "attempt_graded")
    shares = {str(lineage("question", number)): share for number, share in ((1, 0.875), (2, 1.0), (3, 0.0))}
    assert (9.5, shares) == (event["score"], event["questions"])
    assert teacher.identity is not None
    assert ("gradeAnswer", "done", "Attempt", teacher.identity.account_id) == (await trail(teacher.database))[-1]
    answers = await teacher.reader.fetch(queries.ANSWERS, ids=[attempt.id])
    assert [("Say why.", 3.5), (None, 6.0)] == [(row.feedback, row.points) for row in answers]


async def test_grade_by_hand_can_be_changed(essayist: Context, teacher: Context) -> None:
    """An instructor who was wrong grades again; the later event counts."""
    attempt = await submitted(essayist, *ESSAY)
    for points in (1, 1, 4):
        await graded(teacher, attempt, 1, points)
        row = await graded(teacher, attempt, 2, 0)
    assert 4.0 == row.score
    assert [1.0, 4.0] == [event["score"] for event in await told(essayist.database, "attempt_graded")]


async def test_what_waits_longest_comes_first(content: Database, teacher: Context, clock: ManualClock) -> None:
    """Pages join to the list, ties broken, with its length; other courses have nothing of it."""
    await crowd(content, 5, clock())
    async with content.transaction() as connection:
        waiting = {"status": "SUBMITTED", "score": None, "passed": None, "graded_at": None}
        await connection.execute(table.update().values(**waiting))
        later = table.update().where(table.c.id == 1)
        await connection.execute(later.values(submitted_at=clock() + timedelta(seconds=1)))
    rows = [row for row in await courses.by_ids(teacher, [1, 2]) if row is not None]
    met: list[int] = []
    after: str | None = None
    while True:
        part, other = await attempt_views.attempts_to_grade(teacher, rows, first=2, after=after)
        assert [] == other.nodes
        met += [row.id for row in part.nodes]
        if not part.page_info.has_next_page:
            break
        after = part.page_info.end_cursor
    assert [2, 3, 4, 5, 1] == met
    assert [5, 0] == await total_count(teacher, [part, other])


async def test_two_instructors_grade_at_once(essayist: Context, teacher: Context, strangers: Contexts) -> None:
    """The attempt is graded once, when both are done, and loses the points of neither."""
    attempt = await submitted(essayist, *ESSAY)
    await warm(essayist.database)
    await asyncio.gather(
        graded(another(strangers, teacher), attempt, 1, 2), graded(another(strangers, teacher), attempt, 2, 3)
    )
    assert [5.0] == [event["score"] for event in await told(essayist.database, "attempt_graded")]


async def test_what_cannot_be_graded_by_hand(essayist: Context, teacher: Context, strangers: Contexts) -> None:
    """Attempts of others' courses and unknown ones, what was not asked or answered, and points that are not there."""
    started = (await attempts.start_attempt(essayist, StartAttempt(assessment_id()))).attempt
    assert started is not None
    assert UserErrorCode.INVALID_STATE is (await refused(graded(teacher, started, 1, 1)))[0]
    attempt = await submitted(essayist, ESSAY[0], QuestionAnswer(question_id(3), Answer(number=1)))
    path = ("input", "points")
    for points in (-1, 4.001, float("nan"), float("inf")):
        assert (UserErrorCode.INVALID, path) == await refused(graded(teacher, attempt, 1, points))
    assert (UserErrorCode.INVALID, ("input", "questionId")) == await refused(graded(teacher, attempt, 2, 1))
    assert (UserErrorCode.INVALID, ("input", "questionId")) == await refused(graded(teacher, attempt, 3, 1))
    assert (UserErrorCode.NOT_FOUND, ("input", "questionId")) == await refused(graded(teacher, attempt, 9, 1))
    long = graded(teacher, attempt, 1, 1, "x" * 100_000)
    assert (UserErrorCode.TOO_LONG, ("input", "feedback")) == await refused(long)
    assert UserErrorCode.NOT_FOUND is (await refused(graded(essayist, attempt, 1, 4)))[0]
    stray = GradeAnswer("nonsense", question_id(1), 1)
    assert UserErrorCode.NOT_FOUND is (await refused(regrading.grade_answer(teacher, stray)))[0]
    other = another(strangers, teacher)
    assert other.identity is not None
    other.identity = replace(other.identity, account_id=99)
    assert UserErrorCode.NOT_FOUND is (await refused(graded(other, attempt, 1, 1)))[0]
    assert [] == await told(teacher.database, "attempt_graded")


async def crowd(database: Database, count: int, now: Any) -> None:
    """Let `count` learners have been graded with choice `b` at the first question, as the wrong key said."""
    async with database.transaction() as connection:
        people = (
            await connection.execute(insert(learners).returning(learners.c.id), [{"created_at": now}] * count)
        ).scalars()
        rows = [
            {"learner_id": key, "course_id": 1, "revision_id": 1, "status": "ACTIVE", "enrolled_at": now}
            for key in people
        ]
        taken = (await connection.execute(insert(enrollment_table).returning(enrollment_table.c.id), rows)).scalars()
        common = {"assessment_id": 11, "assessment_lineage": lineage("assessment", 1), "number": 1}
        common |= {"status": "GRADED", "started_at": now, "submitted_at": now, "graded_at": now}
        made = [{"enrollment_id": key, "score": 0.0, "max_score": 1.0, "passed": False, **common} for key in taken]
        keys = (await connection.execute(insert(table).returning(table.c.id), made)).scalars()
        answer = {"question_id": 11, "response": {"choices": ["b"]}, "saved_at": now, "points": 0.0}
        await connection.execute(insert(attempt_answers), [{"attempt_id": key, **answer} for key in keys])


async def test_wrong_key_is_put_right_for_everybody(content: Database, teacher: Context, clock: ManualClock) -> None:
    """More attempts than are graded at a time: each has its points, its event and its share of the course."""
    await crowd(content, 450, clock())
    assert 450 == await corrected(teacher, FIRST_B)
    assert 0 == await corrected(teacher, FIRST_B)
    async with content.transaction() as connection:
        found = await connection.execute(select(table.c.score, table.c.passed).distinct())
        assert [(1.0, True)] == [tuple(row) for row in found]
        progress = (await connection.execute(select(enrollment_table.c.progress).distinct())).scalars().all()
        assert [0.25] == progress
        details = (await connection.execute(select(audit_log.c.details).order_by(audit_log.c.id))).scalars().all()
    assert {"regraded_attempts": 450, "copies": [11]} == details[-2]
    assert 450 == len({event["attempt_id"] for event in await told(content, "attempt_graded")})


async def test_key_changes_in_every_revision_it_fits(pupil: Context, teacher: Context, clock: ManualClock) -> None:
    """Copies that offer other choices keep their key; attempts in progress are graded by the new one when submitted."""
    other = {**QUESTIONS[0], "choices": [{"id": "x", "text": "X"}], "answer_key": {"choices": ["x"]}}
    await add_revision(pupil.database, 2, at=clock())
    await add_revision(pupil.database, 3, status="DRAFT", at=clock(), asked=[other])
    started = (await attempts.start_attempt(pupil, StartAttempt(assessment_id()))).attempt
    assert started is not None
    assert 0 == await corrected(teacher, FIRST_B, revision=2)
    async with pupil.database.transaction() as connection:
        keys = await connection.execute(
            select(questions.c.id, questions.c.answer_key).where(questions.c.lineage == lineage("question", 1))
        )
        assert {11: ["b"], 21: ["b"], 31: ["x"]} == {row[0]: row[1]["choices"] for row in keys}
    row = await submitted(pupil, QuestionAnswer(question_id(1), Answer(choice_ids=("b",))))
    assert (started.id, 1.0) == (row.id, row.score)


async def test_key_may_take_points_back_but_a_completed_course_stays_completed(
    pupil: Context, teacher: Context
) -> None:
    """A passed attempt that passes no more costs progress; what an instructor gave, and what is completed, stays."""
    right = (
        QuestionAnswer(question_id(2), Answer(choice_ids=("a", "b"))),
        QuestionAnswer(question_id(4), Answer(text="Force")),
    )
    row = await submitted(pupil, *right)
    assert (7.0, True) == (row.score, row.passed)
    async with pupil.database.transaction() as connection:
        await connection.execute(enrollment_table.update().values(status="COMPLETED", completed_at=pupil.clock()))
    assert 1 == await corrected(teacher, NewAnswerKey(choice_ids=("c", "d")), question=2)
    (enrollment,) = await enrollments.by_ids(pupil, [row.enrollment_id])
    assert enrollment is not None
    assert ("COMPLETED", 0.0) == (enrollment.status, enrollment.progress)
    await graded(teacher, row, 4, 4)
    assert 0 == await corrected(teacher, NewAnswerKey(texts=("Mass",)), question=4)
    (again,) = await attempts.by_ids(pupil, [row.id])
    assert again is not None
    assert 4.0 == again.score


async def test_nobody_is_left_with_the_wrong_key(pupil: Context, teacher: Context, strangers: Contexts) -> None:
    """Whether an attempt is submitted before or after the key is put right, it is graded by the right one."""
    await warm(pupil.database)
    tab, desk = another(strangers, pupil), another(strangers, teacher)
    for turn, right in enumerate(("b", "a", "b", "a", "b", "a")):
        started = (await attempts.start_attempt(pupil, StartAttempt(assessment_id()))).attempt
        assert started is not None
        answer = QuestionAnswer(question_id(1), Answer(choice_ids=(right,)))
        given = SubmitAttempt(encode_id("Attempt", started.id), (answer,))
        both: list[Any] = [
            attempts.submit_attempt(tab, given),
            corrected(desk, NewAnswerKey(choice_ids=(right,))),
        ]
        await asyncio.gather(*(both if turn % 2 else both[::-1]))
        (row,) = await attempts.by_ids(pupil, [started.id])
        assert row is not None
        assert 1.0 == row.score


async def test_keys_at_once_agree_with_the_grades(pupil: Context, teacher: Context, strangers: Contexts) -> None:
    """Of two corrections at once the later one holds, for the key and for every grade."""
    row = await submitted(pupil, QuestionAnswer(question_id(1), Answer(choice_ids=("b",))))
    wanted = ("b", "c", "b", "d")
    await warm(pupil.database)
    await asyncio.gather(
        *(corrected(another(strangers, teacher), NewAnswerKey(choice_ids=(choice,))) for choice in wanted)
    )
    async with pupil.database.transaction() as connection:
        key = (await connection.execute(select(questions.c.answer_key).where(questions.c.id == 11))).scalar_one()
    (again,) = await attempts.by_ids(pupil, [row.id])
    assert again is not None
    assert float(key == {"choices": ["b"]}) == again.score


async def test_what_is_no_key(pupil: Context, teacher: Context) -> None:
    """A key of another kind, of unknown choices or of no text is refused with its path; strangers find no question."""
    path = ("input", "key")
    assert (UserErrorCode.INVALID, (*path, "number")) == await refused(corrected(teacher, NewAnswerKey(number=1.0)))
    unknown = NewAnswerKey(choice_ids=("z",))
    assert (UserErrorCode.INVALID, (*path, "choiceIds")) == await refused(corrected(teacher, unknown))
    empty = corrected(teacher, NewAnswerKey(texts=()), question=4)
    assert (UserErrorCode.REQUIRED, (*path, "acceptedTexts")) == await refused(empty)
    where = ("input", "questionId")
    assert (UserErrorCode.NOT_FOUND, where) == await refused(corrected(pupil, FIRST_B))
    for key in ("nonsense", encode_id("Question", 999)):
        command = regrading.correct_answer_key(teacher, CorrectAnswerKey(key, FIRST_B))
        assert (UserErrorCode.NOT_FOUND, where) == await refused(command)
