"""Work in several threads gives its results in the order of the work, and holds few of them at a time."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from training.parallel import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    """Whichever is done first: here the first item of each pair waits for the second one to be done."""
    done = [threading.Event() for _ in range(20)]

    def square(item: int) -> int:
        if threads > 1 and item % 2 == 0:
            assert done[item + 1].wait(30)
        done[item].set()
        return item * item

    assert [item * item for item in range(20)] == list(in_order(square, range(20), threads))
    assert [] == list(in_order(square, [], threads))


def test_items_are_taken_when_there_is_room_for_them() -> None:
    """No more are taken ahead than are worked on and one, so that what they hold is not held at once."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    for count, _ in enumerate(in_order(str, items(), 3), start=1):
        assert len(taken) <= count + 3


def test_failure_is_that_of_its_item() -> None:
    """It is raised where the result would have come, after those before it."""

    def divide(item: int) -> float:
        return 6 / item

    results = in_order(divide, [1, 2, 0, 3], 2)
    assert [6.0, 3.0] == [next(results), next(results)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_runs_any_more_when_one_has_failed() -> None:
    """What was begun beside it is waited for, so that nobody changes what is read by a thread that was forgotten."""
    began, ended, failed = [], [], threading.Event()

    def work(item: int) -> None:
        began.append(item)
        if item == 0:
            failed.set()
            raise ValueError
        assert failed.wait(30)
        ended.append(item)

    with pytest.raises(ValueError, match=r"^$"):
        list(in_order(work, range(50), 2))
    assert sorted(ended) == sorted(began)[1:]
    assert len(began) <= 3
    assert not [each for each in threading.enumerate() if each.name.startswith("training")]


@pytest.mark.parametrize("threads", [1, 2])
def test_whoever_stops_early_leaves_nothing_running(threads: int) -> None:
    """A generator that is closed ends its threads."""
    results = in_order(lambda item: item, range(50), threads)
    assert 0 == next(results)
    assert isinstance(results, Generator)
    results.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("training")]


@pytest.mark.parametrize("threads", [1, 2])
def test_work_that_finds_nothing_does_not_pass_for_the_end(threads: int) -> None:
    """`next` of nothing inside of the work is a failure, and no fewer results."""

    def first(item: list[int]) -> int:
        return next(iter(item))

    results = in_order(first, [[1], [], [3]], threads)
    assert 1 == next(results)
    with pytest.raises(RuntimeError):
        next(results)
