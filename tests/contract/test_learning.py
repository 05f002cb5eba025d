"""A learner's way through a course as an app goes it: what is shown when, what never is, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from tests.contract.conftest import GraphQLClient
from tests.small_content import teach
from tests.small_learning import (
    COURSE_ID,
    QUESTIONS,
    add_revision,
    assessment_id,
    lesson_id,
    question_id,
)

SIGN_UP = """
mutation ($email: String!) {
  signUp(input: { email: $email, password: "correct horse", displayName: "Ada" }) { session { accessToken } }
}
"""
ENROLL = "mutation ($id: ID!) { enroll(input: { courseId: $id }) { enrollment { id revision { number } } } }"
ATTEMPT = """
fragment A on Attempt {
  id number status score maxScore passed deadlineAt gradedAt
  assessment { id questionCount }
  enrollment { id }
  questions { __typename id prompt points explanation ... on SingleChoiceQuestion { choices { id text } } }
  answers { question { id } choiceIds number text points feedback }
}
"""


def changing(mutation: str, kind: str) -> str:
    """Return the document of a mutation on an attempt."""
    answer = "attempt { ...A } userErrors { code }"
    return f"mutation ($i: {kind}!) {{ {mutation}(input: $i) {{ {answer} }} }}{ATTEMPT}"


START = changing("startAttempt", "StartAttemptInput")
SAVE = changing("saveAnswers", "SaveAnswersInput")
SUBMIT = changing("submitAttempt", "SubmitAttemptInput")
GRADE = changing("gradeAnswer", "GradeAnswerInput")
CORRECT = """
mutation ($i: CorrectAnswerKeyInput!) {
  correctAnswerKey(input: $i) { question { id answerKey { choiceIds } } regradedAttempts userErrors { code field } }
}
"""
RECORD = """
mutation ($i: RecordProgressInput!) {
  recordProgress(input: $i) {
    results { clientEventId outcome userErrors { code field } }
    enrollments { id progress nextLesson { title } }
    userErrors { code }
  }
}
"""
HOME = """
query ($id: ID!) {
  viewer {
    continueLearning(first: 3) { progress course { title } nextLesson { title viewerProgress { positionSeconds } } }
  }
  course(by: { id: $id }) {
    modules { title
      lessons { id title viewerProgress { positionSeconds watchedSeconds completedAt updatedAt } }
      assessment { id viewerAttempts { number status score } } }
    viewerEnrollment { progress revision { number } newerRevision { number } nextLesson { title } }
  }
}
"""
MOVE = """
mutation ($id: ID!) {
  moveToLatestRevision(input: { enrollmentId: $id }) {
    enrollment { progress revision { number } newerRevision { number } }
  }
}
"""
ESSAY = {"kind": "SHORT_ANSWER", "points": 4.0, "choices": [], "answer_key": {"texts": []}}


@pytest_asyncio.fixture
async def served(catalog: Database, clock: ManualClock, client: GraphQLClient) -> GraphQLClient:
    """A client of a platform whose course 1 has content, the last question of it for an instructor to grade."""
    await add_revision(catalog, 1, at=clock(), asked=[*QUESTIONS[:3], ESSAY])
    return client


async def token_of(client: GraphQLClient, email: str) -> str:
    """Sign somebody up and return an access token."""
    token: str = (await client.data(SIGN_UP, {"email": email}))["signUp"]["session"]["accessToken"]
    return token


async def author_of(client: GraphQLClient, database: Database) -> str:
    """Sign an author of course 1 up and return an access token that says so."""
    await token_of(client, "grace@example.org")
    await teach(database, 1)
    given = 'email: "grace@example.org", password: "correct horse"'
    token: str = (await client.data(f"mutation {{ signIn(input: {{ {given} }}) {{ session {{ accessToken }} }} }}"))[
        "signIn"
    ]["session"]["accessToken"]
    return token


def answers(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return inputs that answer the questions in order."""
    return [{"questionId": question_id(number), "answer": answer} for number, answer in enumerate(given, start=1)]


async def test_attempt_tells_what_its_reader_may_know(
    served: GraphQLClient, catalog: Database, clock: ManualClock
) -> None:
    """Points, feedback and explanations only once graded; authors see what waits, and not whose it is."""
    author = await author_of(served, catalog)
    learner = await token_of(served, "ada@example.org")
    await served.data(ENROLL, {"id": COURSE_ID}, learner)

    attempt = (await served.data(START, {"i": {"assessmentId": assessment_id()}}, learner))["startAttempt"]["attempt"]
    assert ("IN_PROGRESS", 1, None, 10.0, 4) == (
        *(attempt["status"], attempt["number"], attempt["score"]),
        *(attempt["maxScore"], attempt["assessment"]["questionCount"]),
    )
    assert [None] * 4 == [question["explanation"] for question in attempt["questions"]]
    given = answers({"choiceIds": ["a"]}, {"choiceIds": ["a"]}, {"number": 0.3})
    await served.data(SAVE, {"i": {"attemptId": attempt["id"], "answers": given}}, learner)
    last = answers({}, {}, {}, {"text": "Because."})[3:]
    sent = {"i": {"attemptId": attempt["id"], "answers": last}}
    waiting = (await served.data(SUBMIT, sent, learner))["submitAttempt"]["attempt"]
    assert ("SUBMITTED", None, None) == (waiting["status"], waiting["score"], waiting["passed"])
    assert [None] * 4 == [answer["points"] for answer in waiting["answers"]]
    assert [None] * 4 == [question["explanation"] for question in waiting["questions"]]

    queue = "query ($id: ID!) { course(by: { id: $id }) { attemptsToGrade(first: 5) { totalCount nodes { ...A } } } }"
    listed = (await served.data(queue + ATTEMPT, {"id": COURSE_ID}, author))["course"]["attemptsToGrade"]
    assert 1 == listed["totalCount"]
    (seen,) = listed["nodes"]
    assert (None, [1.0, 1.5, 2.0, None]) == (seen["enrollment"], [answer["points"] for answer in seen["answers"]])
    assert "Explanation 1." == seen["questions"][0]["explanation"]
    mark = {"attemptId": attempt["id"], "questionId": question_id(4), "points": 2.5, "feedback": "Say why."}
    assert [] == (await served.data(GRADE, {"i": mark}, author))["gradeAnswer"]["userErrors"]

    node = "query ($id: ID!) { node(id: $id) { ...A } }"
    graded = (await served.data(node + ATTEMPT, {"id": attempt["id"]}, learner))["node"]
    assert ("GRADED", 7.0, True) == (graded["status"], graded["score"], graded["passed"])
    assert [1.0, 1.5, 2.0, 2.5] == [answer["points"] for answer in graded["answers"]]
    assert "Say why." == graded["answers"][3]["feedback"]
    assert [f"Explanation {number}." for number in (1, 2, 3, 4)] == [
        each["explanation"] for each in graded["questions"]
    ]
    stranger = await token_of(served, "eve@example.org")
    assert {"node": None} == await served.data(node + ATTEMPT, {"id": attempt["id"]}, stranger)


async def test_keys_are_for_authors(served: GraphQLClient, catalog: Database) -> None:
    """Whatever way a learner asks: the key is null with FORBIDDEN, before and after grading."""
    author = await author_of(served, catalog)
    learner = await token_of(served, "ada@example.org")
    await served.data(ENROLL, {"id": COURSE_ID}, learner)
    started = await served.data(START, {"i": {"assessmentId": assessment_id()}}, learner)
    key = started["startAttempt"]["attempt"]["id"]
    fields = "questions { answerKey { choiceIds number acceptedTexts } }"
    ways = [
        f'{{ node(id: "{key}") {{ ... on Attempt {{ {fields} }} }} }}',
        f'{{ node(id: "{question_id(1)}") {{ ... on Question {{ answerKey {{ choiceIds }} }} }} }}',
        f'{{ node(id: "{assessment_id()}") {{ ... on Assessment {{ {fields} }} }} }}',
    ]
    for _ in range(2):
        for way in ways:
            answer = await served.send(way, token=learner)
            assert {"FORBIDDEN"} == {error["extensions"]["code"] for error in answer["errors"]}, way
            assert '"a"' not in str(answer).replace("'", '"')
        await served.data(SUBMIT, {"i": {"attemptId": key}}, learner)
    right = {"questionId": question_id(1), "key": {"choiceIds": ["b"]}}
    refused = await served.send(CORRECT, {"i": right}, learner)
    assert "FORBIDDEN" == refused["errors"][0]["extensions"]["code"]
    done = (await served.data(CORRECT, {"i": right}, author))["correctAnswerKey"]
    assert {"id": question_id(1), "answerKey": {"choiceIds": ["b"]}} == done["question"]
    wrong = {"questionId": question_id(3), "key": {"number": {"number": 1.0, "tolerance": -1.0}}}
    done = (await served.data(CORRECT, {"i": wrong}, author))["correctAnswerKey"]
    assert [{"code": "INVALID", "field": ["input", "key", "number"]}] == done["userErrors"]


async def test_course_home_shows_where_the_learner_is(
    served: GraphQLClient, catalog: Database, clock: ManualClock
) -> None:
    """What an app shows of a course that is taken: progress, what is next, attempts, a newer revision."""
    learner = await token_of(served, "ada@example.org")
    enrollment = (await served.data(ENROLL, {"id": COURSE_ID}, learner))["enroll"]["enrollment"]
    assert {"number": 1} == enrollment["revision"]
    moment = clock().isoformat()
    events = [
        {"lessonId": lesson_id(1), "clientEventId": "a", "positionSeconds": 600, "watchedSeconds": 580},
        {"lessonId": encode_id("Lesson", 99), "clientEventId": "b", "positionSeconds": 1, "watchedSeconds": 1},
    ]
    sent = {"events": [{**event, "completed": True, "occurredAt": moment} for event in events]}
    recorded = (await served.data(RECORD, {"i": sent}, learner))["recordProgress"]
    assert ["RECORDED", "REJECTED"] == [result["outcome"] for result in recorded["results"]]
    rejected = {"code": "NOT_FOUND", "field": ["input", "events", "1", "lessonId"]}
    assert [rejected] == recorded["results"][1]["userErrors"]
    expected = {"id": enrollment["id"], "progress": 0.25, "nextLesson": {"title": "Lesson 2"}}
    assert [expected] == recorded["enrollments"]
    await served.data(START, {"i": {"assessmentId": assessment_id()}}, learner)
    await add_revision(catalog, 2, at=clock())

    home = await served.data(HOME, {"id": COURSE_ID}, learner)
    first = {"progress": 0.25, "course": {"title": "Course 01"}}
    first |= {"nextLesson": {"title": "Lesson 2", "viewerProgress": None}}
    assert [first] == home["viewer"]["continueLearning"]
    seen = home["course"]
    assert {"positionSeconds": 600, "watchedSeconds": 580, "completedAt": moment, "updatedAt": moment} == (
        seen["modules"][0]["lessons"][0]["viewerProgress"]
    )
    assert [None, None] == [lesson["viewerProgress"] for module in seen["modules"] for lesson in module["lessons"]][1:]
    attempts = [{"number": 1, "status": "IN_PROGRESS", "score": None}]
    assert attempts == seen["modules"][0]["assessment"]["viewerAttempts"]
    assert {
        "progress": 0.25,
        "revision": {"number": 1},
        "newerRevision": {"number": 2},
        "nextLesson": {"title": "Lesson 2"},
    } == seen["viewerEnrollment"]

    moved = (await served.data(MOVE, {"id": enrollment["id"]}, learner))["moveToLatestRevision"]["enrollment"]
    assert {"progress": 0.2, "revision": {"number": 2}, "newerRevision": None} == moved
