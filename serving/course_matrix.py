"""All courses at once: stored features and what they are about, as arrays that are swapped after each materialization.

Reading hundreds of courses from the online store in each request would cost tens of milliseconds; they change
once a materialization, so they are read then, through the same public API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.errors import UnavailableError
from database.queries.exports import COURSE_DIMENSION, CourseDimensionRow
from database.queries.materializations import LATEST_MATERIALIZATION
from database.session import Database, Reader
from database.tables.courses import CourseLevel, CourseStatus
from serving.online import OnlineReader
from serving.served import Reading, ServedFeatures

Integers: TypeAlias = NDArray[np.int64]
Sparse: TypeAlias = "sp.csr_array[Any]"

LEVELS = tuple(level.value for level in CourseLevel)
# Courses asked for at once: small enough for the store's short timeout, and for other threads to get their turn.
_CHUNK = 250


@dataclass(frozen=True, eq=False)
class CourseMatrix:
    """All courses at one moment; positions in every array mean the same course.

    Attributes:
        course_ids: int64[n], sorted.
        names: of the features, sorted.
        features: float32[n, k], NaN where nothing is known; moments are unix seconds, rounded to float32.
        features_as_of: moment of the materialization that the features are from.
        topics: binary float32[n, t].
        topic_ids: int64[t], what the columns of `topics` mean.
        skills: binary float32[n, s].
        skill_ids: int64[s], what the columns of `skills` mean.
        titles: n titles.
        prerequisites: binary float32[n, n], row builds upon column.
        level_codes: int64[n]: 1 beginner, 2 intermediate, 3 advanced, 4 all levels.
        language_codes: int64[n], positions in `languages`.
        languages: BCP 47 tags, sorted.
        published: bool[n].
    """

    course_ids: Integers
    names: tuple[str, ...]
    features: NDArray[np.float32]
    features_as_of: datetime
    topics: Sparse
    topic_ids: Integers
    skills: Sparse
    skill_ids: Integers
    titles: tuple[str, ...]
    prerequisites: Sparse
    level_codes: Integers
    language_codes: Integers
    languages: tuple[str, ...]
    published: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return how many courses there are."""
        return len(self.course_ids)

    def positions(self, course_ids: Sequence[int] | Integers) -> Integers:
        """Return where courses stand, int64, -1 for a course that is not there."""
        wanted = np.asarray(course_ids, np.int64)
        if not len(self):
            return np.full(len(wanted), -1, np.int64)
        places = np.minimum(np.searchsorted(self.course_ids, wanted), len(self) - 1).astype(np.int64)
        return np.where(self.course_ids[places] == wanted, places, -1)


async def build_course_matrix(online: OnlineReader, reader: Reader, features_as_of: datetime) -> CourseMatrix:
    """Read all courses, one statement and one read of the online store in a thread.

    Args:
        online: of the courses.
        reader: of PostgreSQL.
        features_as_of: moment of the materialization.

    Raises:
        UnavailableError: the online store or PostgreSQL cannot be read, or the store has lost its features.
    """
    rows = await reader.fetch(COURSE_DIMENSION)
    names, features = await asyncio.to_thread(_read_features, online, [row.course_id for row in rows])
    return await asyncio.to_thread(_assemble, rows, names, features, features_as_of)


def _read_features(online: OnlineReader, ids: list[int]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    # With no course at all the names are still wanted.
    parts = [online.read(ids[start : start + _CHUNK] or [0]) for start in range(0, max(len(ids), 1), _CHUNK)]
    values = np.concatenate([part.values for part in parts])[: len(ids)]
    if ids and np.isnan(values).all():
        # PostgreSQL remembers a materialization that the online store has lost.
        raise UnavailableError("The online store knows no course; `waymark features materialize` fills it.")
    return parts[0].names, values.astype(np.float32)


def _assemble(
    rows: list[CourseDimensionRow], names: tuple[str, ...], features: NDArray[np.float32], features_as_of: datetime
) -> CourseMatrix:
    course_ids = np.array([row.course_id for row in rows], np.int64)
    topics, topic_ids = _membership([row.topic_ids for row in rows])
    skills, skill_ids = _membership([row.skill_ids for row in rows])
    languages = sorted({row.language for row in rows})
    return CourseMatrix(
        course_ids=course_ids,
        names=names,
        features=features,
        features_as_of=features_as_of,
        topics=topics,
        topic_ids=topic_ids,
        skills=skills,
        skill_ids=skill_ids,
        titles=tuple(row.title for row in rows),
        prerequisites=_within([row.prerequisite_ids for row in rows], course_ids),
        level_codes=np.array([LEVELS.index(row.level) + 1 for row in rows], np.int64),
        language_codes=np.array([languages.index(row.language) for row in rows], np.int64),
        languages=tuple(languages),
        published=np.array([row.status == CourseStatus.PUBLISHED for row in rows], np.bool_),
    )


def _membership(lists: Sequence[Sequence[int]]) -> tuple[Sparse, Integers]:
    """Return binary float32[n, m] and int64[m], the ids that its columns mean."""
    ids = np.unique(np.array([each for ids in lists for each in ids], np.int64))
    return _within(lists, ids), ids


def _within(lists: Sequence[Sequence[int]], ids: Integers) -> Sparse:
    """Return binary float32[n, len(ids)]; every listed id is in the sorted `ids`."""
    columns = np.searchsorted(ids, np.array([each for listed in lists for each in listed], np.int64))
    ends = np.cumsum([0, *(len(listed) for listed in lists)])
    matrix: Sparse = sp.csr_array((np.ones(len(columns), np.float32), columns, ends), shape=(len(lists), len(ids)))
    matrix.sort_indices()
    return matrix


class CourseMatrixHolder:
    """Keeps the matrix of the newest materialization, in place of the one before, which readers may go on using.

    Args:
        database: where materializations are announced, and courses are described.
        store: a `feast.FeatureStore`.
        service: name of the feature service that is read while there is no release.
        served: what is read, when that is shared with others; `store` and `service` alone when not given.
    """

    def __init__(self, database: Database, store: Any, service: str, served: ServedFeatures | None = None) -> None:
        self._database = database
        self._served = served or ServedFeatures(store, service)
        self._online = OnlineReader(self._served, "course")
        self._current: CourseMatrix | None = None
        self._seen: tuple[int, Reading] | None = None
        self._turn = asyncio.Lock()

    @property
    def current(self) -> CourseMatrix | None:
        """The newest matrix; None until something was materialized."""
        return self._current

    @property
    def lost(self) -> Mapping[str, str]:
        """Why a feature view, by name, is not read; empty when all is well."""
        return self._served.lost

    async def refresh_if_newer(self) -> bool:
        """Build the matrix anew if there was a materialization since, or other features are to be read.

        On failure the one before stays.

        Returns:
            Whether `current` changed.

        Raises:
            UnavailableError: the online store or PostgreSQL cannot be read.
        """
        async with self._turn, self._database.reader() as reader:
            latest = await reader.fetch_first(LATEST_MATERIALIZATION)
            if latest is None:
                return False
            seen = self._seen is not None and self._seen[0] == latest.id
            if seen and not self._served.is_outdated:
                return False
            reading = await asyncio.to_thread(self._served.refresh)
            if seen and self._seen is not None and self._seen[1] == reading:
                return False
            self._current = await build_course_matrix(self._online, reader, latest.features_as_of)
            self._seen = (latest.id, reading)
            return True
