"""What releases were judged on survives the disk, and is compared decision by decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ReleaseError
from tests.judged_releases import judgment
from training.judgment import Judgment, against_popularity, compare
from training.metrics import NOT_RANKED

RANKS = [1, 2, 11, NOT_RANKED] * 10


def test_judgment_is_read_as_it_was_written() -> None:
    """Every rank, the ones of courses that were not ranked included."""
    written = judgment(RANKS)
    found = Judgment.unpacked(written.packed())
    assert (written.protocol, written.as_of) == (found.protocol, found.as_of)
    for name in ("learner_ids", "course_ids", "moments", "model", "popularity"):
        np.testing.assert_array_equal(getattr(written, name), getattr(found, name))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", judgment(RANKS).packed()[:-40], replace(judgment(RANKS), model=np.arange(3)).packed()],
)
def test_what_is_no_judgment_is_refused(content: bytes) -> None:
    """Empty, cut off, or with columns of different lengths; nothing is unpickled."""
    with pytest.raises(ReleaseError, match="cannot be read"):
        Judgment.unpacked(content)


def test_figures_are_those_of_the_common_decisions_in_any_order() -> None:
    """NDCG@10 by hand: 1 at rank 1, 1 / log2(3) at rank 2, 0 below ten."""
    ours, theirs = judgment(RANKS), judgment([1] * 30, first=11)
    order = np.random.default_rng(3).permutation(30)
    names = ("learner_ids", "course_ids", "moments", "model", "popularity")
    shuffled = replace(theirs, **{name: getattr(theirs, name)[order] for name in names})
    found = compare(ours, shuffled)
    # Of the decisions 11 to 40, whose ranks are 11, none, 1, 2 and so on.
    by_hand = (7 * 1 + 7 / np.log2(3)) / 30
    assert (30, 10, 0) == (found.common, found.only_ours, found.only_theirs)
    assert by_hand == pytest.approx(found.ours.ndcg)
    assert 1.0 == found.theirs.ndcg
    assert 14 / 30 == pytest.approx(found.ours.hit_rate)
    assert by_hand - 1 == pytest.approx(found.difference)
    assert found.low < found.difference < found.high < 0


def test_the_same_ranks_are_not_better() -> None:
    """A release is not better than itself."""
    found = compare(judgment(RANKS), judgment(RANKS))
    assert (0.0, 0.0, 0.0, False) == (found.difference, found.low, found.high, found.better)
    assert against_popularity(judgment([1] * 20)).better
    assert not against_popularity(judgment([1] * 19)).better
    assert not against_popularity(judgment([9] * 20)).better
