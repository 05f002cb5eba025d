"""Small files of courses in every format, written by hand in the shape of the real ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from catalog.judging import course_format

PROSE = (
    "In this course you will learn how arguments are built, how to tell a valid one from a fallacy, and how to write "
    "proofs that convince others. Each week has a short lecture, worked examples and exercises with feedback."
)
EDX = {
    "title": "The Art of Logic",
    "summary": "How to argue well, and how to notice when others do not.",
    "n_enrolled": "120",
    "course_type": "Self-paced on your time",
    "institution": "University of Examples",
    "instructors": "Ada Example-Basil C. Sample",
    "Level": "Introductory",
    "subject": "Math",
    "language": "English",
    "subtitles": "English",
    "course_effort": "2\u20134 hours per week",
    "course_length": "6 Weeks",
    "price": "FREE-Add a Verified Certificate for $49 USD",
    "course_description": PROSE,
    "course_syllabus": "pending",
    "course_url": "https://courses.example.org/course/the-art-of-logic",
    "price_USD": "49",
}
UDEMY_CATALOG = {
    "course_id": "7",
    "course_title": "The Art of Logic",
    "url": "https://courses.example.org/the-art-of-logic/",
    "is_paid": "True",
    "price": "20",
    "num_subscribers": "120",
    "num_reviews": "3",
    "num_lectures": "12",
    "level": "All Levels",
    "content_duration": "1.5",
    "published_timestamp": "2017-01-18 20:58:58+00:00",
    "subject": "Business Finance",
}
UDEMY = {
    "course_id": "7",
    "slug": "the-art-of-logic",
    "title": "The Art of Logic",
    "categories": "academics|math-and-science",
    "concepts": "Logic|Proof",
    "level": "beginner",
    "language": "english",
    "audience": "",
}
GOOD: Mapping[str, dict[str, str]] = {"edx": EDX, "udemy-catalog": UDEMY_CATALOG, "udemy": UDEMY}


def written(format_name: str, rows: Iterable[Mapping[str, str]]) -> str:
    """Return the content of a file of a format; each row is a good one with some values changed."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, course_format(format_name).columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**GOOD[format_name], **row} for row in rows)
    return text.getvalue()
