"""The executable schema, and the contract as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from typing_extensions import override

from schema.accounts import Viewer
from schema.assessments import (
    Assessment,
    MultipleChoiceQuestion,
    NumericQuestion,
    ShortAnswerQuestion,
    SingleChoiceQuestion,
)
from schema.attempts import Attempt
from schema.courses import Course, Instructor
from schema.enrollments import Enrollment
from schema.lessons import ArticleLesson, ExerciseLesson, VideoLesson
from schema.mutations import Mutation
from schema.queries import Query
from schema.reviews import Review
from schema.revisions import CourseRevision, Module
from schema.scalars import DATE_TIME
from schema.subscriptions import Subscription
from schema.topics import Topic
from schema.users import User


class ContractSchema(strawberry.Schema):
    """Strawberry's schema, which leaves errors to the gateway: it knows which ones are ours to log."""

    @override
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here."""


def build_schema(extensions: Sequence[type[SchemaExtension] | Callable[[], SchemaExtension]] = ()) -> strawberry.Schema:
    """Return the schema, with what the gateway wants done around every document."""
    return ContractSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            ArticleLesson,
            Assessment,
            Attempt,
            Course,
            CourseRevision,
            Enrollment,
            ExerciseLesson,
            Instructor,
            Module,
            MultipleChoiceQuestion,
            NumericQuestion,
            Review,
            ShortAnswerQuestion,
            SingleChoiceQuestion,
            Topic,
            User,
            VideoLesson,
            Viewer,
        ],
        extensions=list(extensions),
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )


def printed(schema: strawberry.Schema) -> str:
    """Return the contract in the schema definition language, ending with a newline."""
    return schema.as_str() + "\n"
