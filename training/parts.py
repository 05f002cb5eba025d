"""How the parts of a training are kept as arrays: examples, rankers, similarities and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import xgboost

from serving.artifact import LearnedExposures
from serving.ensembles import Ensemble
from serving.networks import Network
from training.evaluate import Evaluation
from training.judgment import Judgment
from training.notes import Notes
from training.working import Arrays, as_text, of_text


@dataclass(frozen=True)
class FittedRanker:
    """A ranker alone.

    Attributes:
        ensemble: reads the vectors of the features' layout.
        decisions: how many decisions it was fitted on.
        defaults: `ReleaseManifest.defaults`.
        exposures: `ReleaseManifest.exposures`.
    """

    ensemble: Ensemble
    decisions: int
    defaults: Mapping[str, float] = field(default_factory=dict)
    exposures: LearnedExposures | None = None

    def as_arrays(self) -> Arrays:
        """Return it as it is kept."""
        learned = None if self.exposures is None else self.exposures.model_dump()
        told = {"decisions": self.decisions, "defaults": dict(self.defaults), "exposures": learned}
        trees = np.frombuffer(self.ensemble.booster.save_raw("ubj"), np.uint8)
        network = self.ensemble.network
        return {"booster": trees, "told": as_text(told), **(network.arrays if network is not None else {})}

    @classmethod
    def of(cls, arrays: Arrays) -> FittedRanker:
        """Return what was kept."""
        told = of_text(arrays["told"])
        learned = None if told["exposures"] is None else LearnedExposures(**told["exposures"])
        booster = xgboost.Booster(model_file=bytearray(arrays["booster"].tobytes()))
        network = Network.of(arrays) if "knots" in arrays else None
        return cls(Ensemble(booster, network), told["decisions"], told["defaults"], learned)


def evaluation_as_arrays(evaluation: Evaluation) -> Arrays:
    """Return an evaluation as it is kept."""
    arrays = {"figures": as_text(asdict(replace(evaluation, judgment=None, notes=None)))}
    for name, part in {"judgment": evaluation.judgment, "notes": evaluation.notes}.items():
        if part is not None:
            arrays[name] = np.frombuffer(part.packed(), np.uint8)
    return arrays


def evaluation_of(arrays: Arrays) -> Evaluation:
    """Return the evaluation that was kept."""
    evaluation: Evaluation = _built(Evaluation, of_text(arrays["figures"]))
    judgment, notes = (arrays[name].tobytes() if name in arrays else None for name in ("judgment", "notes"))
    return replace(
        evaluation,
        judgment=None if judgment is None else Judgment.unpacked(judgment),
        notes=None if notes is None else Notes.unpacked(notes),
    )


def _built(hint: Any, value: Any) -> Any:
    """Return what JSON holds as what it was: dataclasses, tuples, mappings and enums; a number stays as it is."""
    if value is None:
        return None
    arguments = get_args(hint)
    if get_origin(hint) in {Union, UnionType}:
        return _built(arguments[0], value)
    if get_origin(hint) is tuple:
        return tuple(_built(arguments[0], each) for each in value)
    if get_origin(hint) is dict:
        return {key: _built(arguments[1], each) for key, each in value.items()}
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        values: dict[str, Any] = {name: _built(hints[name], each) for name, each in value.items()}
        return hint(**values)  # type: ignore[operator]  # It is a class.
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value
