"""Finding courses over HTTP: one operation of a browse page, and who may say and hide what."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from core.ids import encode_id
from database.session import Database
from tests.contract.conftest import GraphQLClient

COURSE = encode_id("Course", 7)
BROWSE = """
query ($filter: CourseFilter, $language: String) {
  courses(filter: $filter, orderBy: { field: RATING }, first: 5) {
    totalCount
    facets { levels { level count } languages { language count } topics { count topic { name(language: $language) } } }
    nodes {
      title
      rating { average count }
      viewerReview { rating }
      reviews(first: 2) { totalCount nodes { rating text hidden isViewers course { slug } } }
      similarCourses(first: 2) { slug }
    }
  }
  topic(by: { slug: "science" }) { name(language: "es") children { slug parent { slug children { slug } } } }
}
"""
REVIEW = """
mutation ($id: ID!, $rating: Int!, $text: String) {
  reviewCourse(input: { courseId: $id, rating: $rating, text: $text }) {
    review { id rating text hidden isViewers } course { rating { average count } } userErrors { code field }
  }
}
"""
ENROLL = "mutation ($id: ID!) { enroll(input: { courseId: $id }) { userErrors { code } } }"
HIDE = """
mutation ($id: ID!) { hideReview(input: { reviewId: $id, reason: "Insults" })
  { review { hidden } course { rating { count } } userErrors { code } } }
"""
SHOW = "mutation ($id: ID!) { showReview(input: { reviewId: $id }) { review { hidden } userErrors { code } } }"
DELETE = "mutation ($id: ID!) { deleteReview(input: { reviewId: $id }) { course { slug } userErrors { code } } }"


async def signed_up(client: GraphQLClient, name: str) -> str:
    """Sign somebody up and return an access token."""
    fields = f'email: "{name}@example.org", password: "correct horse", displayName: "{name}"'
    data = await client.data(f"mutation {{ signUp(input: {{ {fields} }}) {{ session {{ accessToken }} }} }}")
    token: str = data["signUp"]["session"]["accessToken"]
    return token


async def moderator(client: GraphQLClient, database: Database) -> str:
    """Sign a moderator up and return an access token that says so."""
    await signed_up(client, "mo")
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE accounts SET roles = '{LEARNER,MODERATOR}'"))
    sign_in = (
        'mutation { signIn(input: { email: "mo@example.org", password: "correct horse" }) { session { accessToken } } }'
    )
    token: str = (await client.data(sign_in))["signIn"]["session"]["accessToken"]
    return token


@pytest.mark.usefixtures("catalog")
async def test_a_browse_page_is_one_operation(client: GraphQLClient) -> None:
    """Courses with their ratings, reviews and likes, the facets of the list, and a topic with its tree."""
    data: Any = await client.data(BROWSE, {"filter": {"query": "coruse", "level": ["BEGINNER"]}, "language": "es"})
    listed = data["courses"]
    assert 6 == listed["totalCount"]
    assert {"level": "INTERMEDIATE", "count": 7} in listed["facets"]["levels"]
    assert {"count": 6, "topic": {"name": "Science"}} in listed["facets"]["topics"]
    assert 5 == len(listed["nodes"])
    assert {"average": None, "count": 0} == listed["nodes"][0]["rating"]
    assert 2 == len(listed["nodes"][0]["similarCourses"])
    science = {"slug": "science", "children": [{"slug": "biology"}, {"slug": "physics"}]}
    assert {
        "name": "Science",
        "children": [{"slug": "biology", "parent": science}, {"slug": "physics", "parent": science}],
    } == data["topic"]


async def test_reviewing_over_http(catalog: Database, client: GraphQLClient) -> None:
    """Refusals name the field; a review tells whose it is only to its author; moderators hide it."""
    author, other = await signed_up(client, "ada"), await signed_up(client, "bo")
    variables = {"id": COURSE, "rating": 5, "text": "<b>Good</b> 👍"}
    refused = (await client.data(REVIEW, variables, author))["reviewCourse"]
    assert {
        "review": None,
        "course": None,
        "userErrors": [{"code": "NOT_ENROLLED", "field": ["input", "courseId"]}],
    } == refused
    await client.data(
        f'mutation {{ enroll(input: {{ courseId: "{COURSE}" }}) {{ userErrors {{ code }} }} }}', token=author
    )
    written = (await client.data(REVIEW, variables, author))["reviewCourse"]
    assert {"average": 5.0, "count": 1} == written["course"]["rating"]
    assert (True, False) == (written["review"]["isViewers"], written["review"]["hidden"])
    key = {"id": written["review"]["id"]}
    node = "query ($id: ID!) { node(id: $id) { ... on Review { text isViewers hidden } } }"
    assert {"text": "<b>Good</b> 👍", "isViewers": False, "hidden": False} == (await client.data(node, key, other))[
        "node"
    ]
    assert [{"code": "NOT_FOUND"}] == (await client.data(DELETE, key, other))["deleteReview"]["userErrors"]
    token = await moderator(client, catalog)
    hidden = (await client.data(HIDE, key, token))["hideReview"]
    assert {"review": {"hidden": True}, "course": {"rating": {"count": 0}}, "userErrors": []} == hidden
    assert [None, True, True] == [
        (found := (await client.data(node, key, who))["node"]) and found["hidden"] for who in (other, author, token)
    ]
    assert {"review": {"hidden": False}, "userErrors": []} == (await client.data(SHOW, key, token))["showReview"]
    assert {"course": {"slug": "course-7"}, "userErrors": []} == (await client.data(DELETE, key, author))[
        "deleteReview"
    ]


@pytest.mark.parametrize(("document", "field"), [(HIDE, "hideReview"), (SHOW, "showReview"), (DELETE, "deleteReview")])
async def test_moderation_is_for_moderators(
    catalog: Database, client: GraphQLClient, document: str, field: str
) -> None:
    """Signed out nobody may, and learners may only delete what is theirs."""
    learner = await signed_up(client, "ada")
    key = {"id": encode_id("Review", 1)}
    assert ["UNAUTHENTICATED"] == [e["extensions"]["code"] for e in (await client.send(document, key))["errors"]]
    answer = await client.send(document, key, learner)
    if field == "deleteReview":
        assert [{"code": "NOT_FOUND"}] == answer["data"][field]["userErrors"]
    else:
        assert ["FORBIDDEN"] == [error["extensions"]["code"] for error in answer["errors"]]


@pytest.mark.usefixtures("catalog")
async def test_reasons_are_told_in_the_language_that_is_asked_for(client: GraphQLClient, database: Database) -> None:
    """With the topic's name in it; without a language in English, and so in a language that nobody wrote texts for."""
    async with database.transaction() as connection:
        await connection.execute(text("""UPDATE topics SET labels = '{"es": "Física"}' WHERE slug = 'physics'"""))
    token = await signed_up(client, "ada")
    topic = encode_id("Topic", 2)
    save = f'saveLearningPreferences(input: {{ topicIds: ["{topic}"], goals: [], level: BEGINNER }})'
    await client.data(f"mutation {{ {save} {{ userErrors {{ code }} }} }}", token=token)
    reasons = 'text es: text(language: "es-MX") xx: text(language: "xx") asked: text(language: $language)'
    document = (
        f"""query ($language: String) {{ recommendedCourses(first: 1) {{ edges {{ reasons {{ {reasons} }} }} }} }}"""
    )
    data: Any = await client.data(document, {"language": "it"}, token)
    english = "Matches your interest in Physics"
    expected = {
        "text": english,
        "es": "Corresponde a tu interés en Física",
        "xx": english,
        "asked": "In linea con il tuo interesse per Physics",
    }
    assert expected == data["recommendedCourses"]["edges"][0]["reasons"][0]
