"""Numbers as their places among quantiles: compiled, and as NumPy says it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from features import knots as module
from features.kernel_arrays import Floats
from features.kernels import compiled_kernels
from features.knots import MOST, REACH, Knots

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def knots_of(*columns: list[float]) -> Knots:
    """Return the knots of columns."""
    values = np.full((len(columns), MOST), np.inf, np.float32)
    for row, column in enumerate(columns):
        values[row, : len(column)] = column
    return Knots(values, np.array([len(column) for column in columns], np.int64))


def placed(knots: Knots, vectors: Floats, room: int = 0) -> Floats:
    """Return places, in a table with more columns than are asked for."""
    out = np.full((len(vectors), knots.width + room), 7, np.float32)
    knots.place(vectors, out)
    assert (out[:, knots.width :] == 7).all()
    return out[:, : knots.width]


@pytest.fixture(params=["compiled", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either way to place."""
    if request.param == "numpy":
        monkeypatch.setattr(module, "compiled_kernels", lambda: None)
    elif compiled_kernels() is None:
        pytest.skip("no compiler was at hand")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_places_are_between_the_first_knot_and_the_last() -> None:
    """Knots are at even distances whatever lies between them; what is outside is at an end, and a gap in the middle."""
    knots = knots_of([0.0, 1.0, 10.0, 1_000.0], [5.0], [-1.0, 1.0])
    rows = [[0.0, 5.0, -1.0], [1.0, 9.0, 0.0], [505.0, np.nan, 1.0], [-np.inf, 5.0, np.nan], [np.inf, 0.0, 0.5]]
    expected = np.array([[-1, 0, -1], [-1 / 3, 0, 0], [2 / 3, 0, 1], [-1, 0, 0], [1, 0, 0.5]]) * REACH
    np.testing.assert_allclose(placed(knots, np.array(rows, np.float32), room=2), expected, atol=1e-6)
    np.testing.assert_allclose(placed(knots, np.asfortranarray(rows, np.float32)), expected, atol=1e-6)
    strided = np.repeat(np.array(rows, np.float32), 2, axis=0)[::2]
    np.testing.assert_allclose(placed(knots, strided), expected, atol=1e-6)
    assert (0, 3) == placed(knots, np.empty((0, 3), np.float32)).shape


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_compiled_places_are_those_of_numpy(data: st.DataObject) -> None:
    """Bit by bit, whatever the numbers, rows and lengths are."""
    if compiled_kernels() is None:
        pytest.skip("no compiler was at hand")
    finite = st.floats(width=32, min_value=-1e6, max_value=1e6)
    columns = data.draw(
        st.lists(st.lists(finite, min_size=1, max_size=MOST, unique=True).map(sorted), min_size=1, max_size=4)
    )
    knots = knots_of(*columns)
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    vectors = rng.normal(0, 10 ** rng.uniform(-2, 6), (data.draw(st.integers(0, 200)), len(columns))).astype(np.float32)
    for row in vectors[:8]:
        row[:] = data.draw(st.lists(FLOATS, min_size=len(columns), max_size=len(columns)))
    ours = placed(knots, vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "compiled_kernels", lambda: None)
        np.testing.assert_array_equal(ours, placed(knots, vectors))
    assert np.isfinite(ours).all()
    assert (np.abs(ours) <= np.float32(REACH)).all()


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (np.zeros((2, MOST), np.float32), [1]),
        (np.zeros((1, MOST), np.float64), [1]),
        (np.zeros((1, MOST - 1), np.float32), [1]),
        (np.zeros((1, MOST), np.float32), [0]),
        (np.zeros((1, MOST), np.float32), [MOST + 1]),
    ],
)
def test_what_is_no_table_of_knots_is_refused(values: Floats, counts: list[int]) -> None:
    """Compiled loops do not look again."""
    with pytest.raises(ValueError, match=r"Knots are|A column has"):
        Knots(values, np.array(counts, np.int64))


def test_lengths_of_another_type_are_refused() -> None:
    """A compiled loop would read other numbers, and beyond the last."""
    with pytest.raises(ValueError, match="A column has"):
        Knots(np.zeros((1, MOST), np.float32), np.ones(1, np.int32))
