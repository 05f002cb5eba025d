"""Accounts, preferences and enrollments over HTTP, as a client uses them."""

from __future__ import annotations

from typing import Any

import pytest

from core.ids import encode_id
from tests.contract.conftest import GraphQLClient

SIGN_UP = """
mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) {
    session { accessToken expiresAt refreshToken }
    viewer { id email displayName roles learningPreferences { level } enrollments { totalCount } }
    userErrors { code message field }
  }
}
"""
ACCOUNT = {"email": "ana@example.com", "password": "correct horse", "displayName": "Ana"}
SAVE = """
mutation Save($input: SaveLearningPreferencesInput!) {
  saveLearningPreferences(input: $input) {
    learningPreferences { goals level weeklyMinutes languages savedAt topics { slug } }
    userErrors { code field }
  }
}
"""
ENROLL = """
mutation Enroll($input: EnrollInput!) {
  enroll(input: $input) {
    enrollment { id status progress enrolledAt completedAt course { slug enrollmentCount viewerEnrollment { id } } }
    userErrors { code field }
  }
}
"""
VIEWER = """
{
  viewer {
    id
    learningPreferences { topics { slug } }
    enrollments(first: 5) { totalCount nodes { id status course { slug } } edges { cursor } pageInfo { hasNextPage } }
  }
}
"""


async def signed_up(client: GraphQLClient) -> Any:
    """Create an account and return the payload."""
    return (await client.data(SIGN_UP, {"input": ACCOUNT}))["signUp"]


@pytest.mark.usefixtures("catalog")
async def test_learner_from_sign_up_to_first_course(client: GraphQLClient) -> None:
    """Sign up, tell preferences, enroll, look at it all, leave, refresh and sign out, each through the contract."""
    payload = await signed_up(client)
    assert [] == payload["userErrors"]
    assert ("ana@example.com", "Ana", ["LEARNER"], None, {"totalCount": 0}) == tuple(payload["viewer"].values())[1:]
    token = payload["session"]["accessToken"]
    wanted = {"topicIds": [encode_id("Topic", 3)], "goals": ["CURIOSITY"], "level": "BEGINNER", "languages": ["pt-BR"]}
    saved = (await client.data(SAVE, {"input": wanted}, token))["saveLearningPreferences"]
    assert (["CURIOSITY"], "BEGINNER", None, ["pt-br"], [{"slug": "biology"}]) == (
        saved["learningPreferences"]["goals"],
        saved["learningPreferences"]["level"],
        saved["learningPreferences"]["weeklyMinutes"],
        saved["learningPreferences"]["languages"],
        saved["learningPreferences"]["topics"],
    )
    enrolled = (await client.data(ENROLL, {"input": {"courseId": encode_id("Course", 7)}}, token))["enroll"]
    enrollment = enrolled["enrollment"]
    assert {"slug": "course-7", "enrollmentCount": 8, "viewerEnrollment": {"id": enrollment["id"]}} == enrollment[
        "course"
    ]
    viewer = (await client.data(VIEWER, token=token))["viewer"]
    assert [{"id": enrollment["id"], "status": "ACTIVE", "course": {"slug": "course-7"}}] == viewer["enrollments"][
        "nodes"
    ]
    assert 1 == viewer["enrollments"]["totalCount"]
    both = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    ids = [enrollment["id"], viewer["id"]]
    assert [{"id": one} for one in ids] == (await client.data(both, {"ids": ids}, token))["nodes"]
    assert [None, None] == (await client.data(both, {"ids": ids}))["nodes"]
    leave = "mutation ($id: ID!) { unenroll(input: {enrollmentId: $id}) { enrollment { status } userErrors { code } } }"
    left = (await client.data(leave, {"id": enrollment["id"]}, token))["unenroll"]
    assert {"enrollment": {"status": "WITHDRAWN"}, "userErrors": []} == left


async def test_session_through_the_contract(client: GraphQLClient) -> None:
    """Refreshing gives the same new token to who asks again; signing in and out work; payloads tell of refusals."""
    payload = await signed_up(client)
    refresh = """
    mutation ($token: String!) {
      refreshSession(input: {refreshToken: $token}) {
        session { accessToken refreshToken } viewer { displayName } userErrors { code field }
      }
    }
    """
    token = {"token": payload["session"]["refreshToken"]}
    refreshed = (await client.data(refresh, token))["refreshSession"]
    assert {"displayName": "Ana"} == refreshed["viewer"]
    again = (await client.data(refresh, token))["refreshSession"]
    assert refreshed["session"]["refreshToken"] == again["session"]["refreshToken"]
    newer = {"token": again["session"]["refreshToken"]}
    assert [] == (await client.data(refresh, newer))["refreshSession"]["userErrors"]
    assert {
        "session": None,
        "viewer": None,
        "userErrors": [{"code": "SESSION_EXPIRED", "field": ["input", "refreshToken"]}],
    } == (await client.data(refresh, token))["refreshSession"]
    sign_in = """
    mutation ($password: String!) {
      signIn(input: {email: "ANA@example.com", password: $password}) {
        session { accessToken } viewer { displayName } userErrors { code field }
      }
    }
    """
    wrong = (await client.data(sign_in, {"password": "wrong"}))["signIn"]
    assert [{"code": "INVALID_CREDENTIALS", "field": None}] == wrong["userErrors"]
    right = (await client.data(sign_in, {"password": ACCOUNT["password"]}))["signIn"]
    assert {"displayName": "Ana"} == right["viewer"]
    out = await client.data("mutation { signOut { userErrors { code } } }", token=right["session"]["accessToken"])
    assert {"signOut": {"userErrors": []}} == out


@pytest.mark.usefixtures("catalog")
async def test_refusals_are_data(client: GraphQLClient) -> None:
    """A mutation that is refused as expected has no `errors`, and its payload says why."""
    payload = await signed_up(client)
    token = payload["session"]["accessToken"]
    taken = (await signed_up(client))["userErrors"]
    assert [("EMAIL_TAKEN", ["input", "email"])] == [(error["code"], error["field"]) for error in taken]
    course = {"input": {"courseId": encode_id("Course", 7)}}
    first = (await client.data(ENROLL, course, token))["enroll"]
    second = (await client.data(ENROLL, course, token))["enroll"]
    assert [{"code": "ALREADY_ENROLLED", "field": ["input", "courseId"]}] == second["userErrors"]
    assert first["enrollment"] == second["enrollment"]
    missing = (await client.data(ENROLL, {"input": {"courseId": "?", "recommendationId": None}}, token))["enroll"]
    assert {"enrollment": None, "userErrors": [{"code": "NOT_FOUND", "field": ["input", "courseId"]}]} == missing
    wrong = (await client.data(SAVE, {"input": {"topicIds": ["?"]}}, token))["saveLearningPreferences"]
    assert {"learningPreferences": None, "userErrors": [{"code": "NOT_FOUND", "field": ["input", "topicIds"]}]} == wrong


@pytest.mark.parametrize(
    "document",
    [
        'mutation { enroll(input: {courseId: "?"}) { userErrors { code } } }',
        'mutation { unenroll(input: {enrollmentId: "?"}) { userErrors { code } } }',
        "mutation { saveLearningPreferences(input: {topicIds: []}) { userErrors { code } } }",
        "mutation { signOut { userErrors { code } } }",
    ],
)
async def test_stranger_is_asked_to_sign_in(client: GraphQLClient, document: str) -> None:
    """The policy of a command stands before it, and `viewer` is null."""
    body = await client.send(document)
    assert "UNAUTHENTICATED" == body["errors"][0]["extensions"]["code"]
    assert {"viewer": None} == await client.data("{ viewer { id } }")
