"""What a release keeps of its features' distributions, and what is refused as such."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from core.errors import ReleaseError
from features.drift import Sketch
from training.distributions import Distributions

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
KEPT = Distributions(as_of=AS_OF, features={"view:name": (Sketch.of(np.array([1.0, 2.0, np.nan])),)})


def test_distributions_survive_the_way_through_a_file() -> None:
    """Edges and counts are the same to the last bit."""
    odd = Distributions(as_of=AS_OF, features={"v:n": (Sketch.of(np.random.default_rng(1).normal(size=99) / 3),)})
    for kept in (KEPT, odd):
        assert kept == Distributions.unpacked(kept.packed())


@pytest.mark.parametrize("counts", [[1], [1, 1, 1, -1], "many"])
def test_what_is_no_sketch_is_refused(counts: object) -> None:
    """A file of another shape is an error of its own, and no wrong index."""
    told = json.loads(KEPT.packed())
    told["features"]["view:name"][0]["counts"] = counts
    for content in (json.dumps(told).encode(), b"{", b"[]"):
        with pytest.raises(ReleaseError, match="distributions"):
            Distributions.unpacked(content)
