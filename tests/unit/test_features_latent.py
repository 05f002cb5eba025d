"""The factor model: the same each time, and the same however it is found."""

from __future__ import annotations

import numpy as np
import pytest

from features import linear
from features.interactions import Interactions
from features.linear import fit_latent
from tests.simulated_history import simulated_history

HISTORY = simulated_history()
SIZE = len(HISTORY.traits)


def known(share: float) -> Interactions:
    """Return the first part of the log."""
    moments = np.sort(HISTORY.interactions.moments)
    return HISTORY.interactions.select(HISTORY.known(int(moments[int((len(moments) - 1) * share)])))


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3, 1.0])
def test_factor_model_is_the_same_each_time(share: float) -> None:
    """Also where there are fewer directions than factors, which noise would fill."""
    first, second = (fit_latent(known(share), SIZE) for _ in range(2))
    np.testing.assert_array_equal(first.indptr, second.indptr)
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.data, second.data)


def test_small_and_large_catalogs_have_the_same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decomposed whole or by Lanczos' method: where there are directions enough they agree to rounding."""
    monkeypatch.setattr(linear, "FACTORS", 20)
    whole = fit_latent(known(1.0), SIZE).toarray()
    monkeypatch.setattr(linear, "_DENSE", 1)
    np.testing.assert_allclose(whole, fit_latent(known(1.0), SIZE).toarray(), atol=2e-4)


def test_nothing_known_is_no_model() -> None:
    """And neither is one learner."""
    nothing = HISTORY.interactions.select(np.zeros(len(HISTORY.interactions), np.bool_))
    assert 0 == fit_latent(nothing, SIZE).nnz
