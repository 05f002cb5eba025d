"""Writing and publishing a course over HTTP, as an author's client does it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role, accounts
from tests.contract.conftest import GraphQLClient

SIGN_UP = """
mutation ($input: SignUpInput!) { signUp(input: $input) { session { accessToken } viewer { id } } }
"""
SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { session { accessToken } } }"
DESCRIPTION = (
    "You will learn how waves move through water, air and strings, and measure some of them at home with nothing "
    "but a telephone. Every week there is one experiment and a short assessment of what it showed."
)


async def member(client: GraphQLClient, database: Database, name: str, *roles: Role) -> str:
    """Sign up somebody with roles and return their access token."""
    credentials = {"email": f"{name}@example.com", "password": "correct horse battery"}
    await client.data(SIGN_UP, {"input": {**credentials, "displayName": name}})
    async with database.transaction() as connection:
        # The newest account is theirs; addresses are encrypted.
        newest = accounts.select().order_by(accounts.c.id.desc()).limit(1)
        key = (await connection.execute(newest)).one().id
        granted = [Role.LEARNER.value, *(role.value for role in roles)]
        await connection.execute(update(accounts).where(accounts.c.id == key).values(roles=granted))
    token: str = (await client.data(SIGN_IN, {"input": credentials}))["signIn"]["session"]["accessToken"]
    return token


class Studio:
    """An author at work on one course, who always sends the version that the last answer named."""

    def __init__(self, client: GraphQLClient, token: str) -> None:
        self.client = client
        self.token = token
        self.course: dict[str, Any] = {}

    async def __call__(self, mutation: str, more: str = "", token: str | None = None, **values: Any) -> Any:
        """Run a mutation on the course and return its payload."""
        name = mutation[0].upper() + mutation[1:]
        if mutation in {"submitCourseForReview", "publishCourse"}:
            name = "CourseVersion"
        text = (
            f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) "
            f"{{ course {{ id version status }} {more} userErrors {{ code field message }} }} }}"
        )
        if self.course:
            values = {"courseId": self.course["id"], "version": self.course["version"], **values}
        payload = (await self.client.data(text, {"input": values}, token or self.token))[mutation]
        if payload["course"]:
            self.course = payload["course"]
        return payload


CHOICES = [{"id": "a", "text": "Up", "right": True}, {"id": "b", "text": "Down", "right": False}]
SINGLE = {"singleChoice": {"prompt": "Where?", "points": 1, "choices": CHOICES, "explanation": "It falls."}}
MULTIPLE = {"multipleChoice": {"prompt": "Which?", "points": 2, "choices": CHOICES}}
NUMERIC = {"numeric": {"prompt": "How fast?", "points": 2, "number": 9.81, "tolerance": 0.01}}
SHORT = {"shortAnswer": {"prompt": "What?", "points": 1, "acceptedTexts": ["gravity"]}}
LESSONS = (
    {"video": {"title": "Watch 🎬", "mediaUrl": "https://media.example.com/1.mp4", "durationSeconds": 90}},
    {"article": {"title": "קרא אותי", "body": "Read."}},
    {"exercise": {"title": "Do", "instructions": "Drop it."}},
)


@pytest.mark.usefixtures("catalog")
async def test_course_from_its_first_draft_to_its_learners(client: GraphQLClient, database: Database) -> None:
    """Every input of authors goes through the contract, and the learner sees the course once it is published."""
    author = await member(client, database, "author", Role.INSTRUCTOR)
    moderator = await member(client, database, "moderator", Role.MODERATOR)
    studio = Studio(client, author)
    made = await studio(
        "createCourse",
        title="Waves in water",
        level="BEGINNER",
        language="en",
        slug="waves",
        description=DESCRIPTION,
        topicIds=[encode_id("Topic", 2)],
        skills=["Measuring"],
    )
    assert [] == made["userErrors"]
    module = (await studio("addModule", "module { id position }", title="First"))["module"]
    for lesson in LESSONS:
        added = await studio("addLesson", "lesson { __typename title }", moduleId=module["id"], lesson=lesson)
        (content,) = lesson.values()
        assert content["title"] == added["lesson"]["title"]
    put = await studio(
        "putAssessment",
        "assessment { questionCount maxScore questions { __typename answerKey { choiceIds number acceptedTexts } } }",
        moduleId=module["id"],
        title="Quiz",
        passingShare=0.5,
        questions=[SINGLE, MULTIPLE, NUMERIC, SHORT],
    )
    assert (4, 6.0) == (put["assessment"]["questionCount"], put["assessment"]["maxScore"])
    assert {"choiceIds": ["a"], "number": None, "acceptedTexts": None} == put["assessment"]["questions"][0]["answerKey"]
    seen = '{ course(by: {slug: "waves"}) { modules { lessons { title } assessment { questionCount } } } }'
    assert {"course": None} == await client.data(seen)
    await studio("submitCourseForReview")
    published = await studio("publishCourse", token=moderator)
    assert ([], "PUBLISHED") == (published["userErrors"], published["course"]["status"])
    (shown,) = (await client.data(seen))["course"]["modules"]
    assert (["Watch 🎬", "קרא אותי", "Do"], {"questionCount": 4}) == (
        [lesson["title"] for lesson in shown["lessons"]],
        shown["assessment"],
    )


@pytest.mark.usefixtures("catalog")
async def test_nested_input_is_refused_at_its_exact_path(client: GraphQLClient, database: Database) -> None:
    """The fourth question's choices are named as such; a stale version names the current one; nothing changes."""
    studio = Studio(client, await member(client, database, "author", Role.INSTRUCTOR))
    await studio("createCourse", title="Waves", level="BEGINNER", language="en")
    module = (await studio("addModule", "module { id }", title="First"))["module"]
    twice = [{**choice, "id": name} for choice, name in zip(CHOICES, ("a", " a"), strict=True)]
    wrong = {"singleChoice": {**SINGLE["singleChoice"], "choices": twice}}
    quiz = {"moduleId": module["id"], "title": "Quiz", "passingShare": 0.5}
    refused = await studio("putAssessment", **quiz, questions=[SINGLE, MULTIPLE, NUMERIC, wrong])
    (error,) = refused["userErrors"]
    path = ["input", "questions", "3", "singleChoice", "choices"]
    assert ("INVALID", path) == (error["code"], error["field"])
    (stale,) = (await studio("updateCourse", version=1, title="Late"))["userErrors"]
    assert ("CONFLICT", ["input", "version"]) == (stale["code"], stale["field"])
    assert "version 2" in stale["message"]


async def test_half_a_character_never_reaches_the_database(client: GraphQLClient, database: Database) -> None:
    """A lone surrogate, which JSON can spell and UTF-8 cannot, is a bad request and no failure of ours."""
    token = await member(client, database, "author", Role.INSTRUCTOR)
    body = (
        '{"query": "mutation ($input: CreateCourseInput!) { createCourse(input: $input) { userErrors { code } } }",'
        ' "variables": {"input": {"title": "\\ud800", "level": "BEGINNER", "language": "en"}}}'
    )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    response = await client.http.post("/graphql", content=body, headers=headers)
    assert 400 == response.status_code
