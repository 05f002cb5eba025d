"""Counts of what the gateway answers and refuses, with labels that no client can multiply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from core.settings import OperationsMode

_MOST_LABELS = 1_000
UNREGISTERED = "unregistered"
OTHER = "other"


class GatewayMetrics:
    """The gateway's instruments.

    Args:
        mode: which documents may be run; a label of every operation.
    """

    def __init__(self, mode: OperationsMode) -> None:
        meter = metrics.get_meter("waymark.gateway")
        self._mode = mode.value
        self._labels: set[str] = set()
        # Counted here and told when somebody collects: an instrument that is told each time costs as much as a
        # statement of SQL.
        self._answered: Counter[tuple[str, str, str]] = Counter()
        meter.create_observable_counter(
            "waymark.operations",
            [self._observed()],
            description="GraphQL operations answered, by operation, mode, executor and outcome.",
        )
        self._spent: Counter[str] = Counter()
        meter.create_observable_counter(
            "waymark.cost",
            [self._observed_costs()],
            description="What GraphQL operations cost, by operation, in the points of budgets.",
        )
        self._refusals = meter.create_counter("waymark.refusals", description="Requests refused, by code.")

    def label(self, persisted_id: str | None, name: str | None) -> str:
        """Return what an operation is called in metrics: name or hash of a registered one, and one word for others.

        Only operations that were registered can make labels, and only so many.
        """
        if persisted_id is None:
            return UNREGISTERED
        label = name or persisted_id[:16]
        if label not in self._labels:
            if len(self._labels) >= _MOST_LABELS:
                return OTHER
            self._labels.add(label)
        return label

    def answered(self, operation: str, executor: str, *, errors: bool) -> None:
        """Count an operation that was run."""
        self._answered[operation, executor, "errors" if errors else "ok"] += 1

    def _observed(self) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            for (operation, executor, outcome), count in list(self._answered.items()):
                labels = {"operation": operation, "mode": self._mode, "executor": executor, "outcome": outcome}
                yield Observation(count, labels)

        return observe

    def spent(self, operation: str, cost: int) -> None:
        """Count what an operation cost."""
        self._spent[operation] += cost

    def _observed_costs(self) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            for operation, cost in list(self._spent.items()):
                yield Observation(cost, {"operation": operation})

        return observe

    def refused(self, code: str) -> None:
        """Count a refusal; codes are those of the documentation."""
        self._refusals.add(1, {"code": code})
