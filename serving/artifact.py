"""A model release on disk: written whole or not at all, verified by digest when loaded, nothing unpickled.

- `release.json`: what it is, and the sha256 of every other file; its own digest stands in `model_releases`.
- `ranker.ubj`: the XGBoost ranker.
- `network.npz`: the network that looks at its first places again; a release of a version without has none, and neither
  has one that learned from few decisions.
- `retrievers.npz`: course ids, the sparse matrices of the retrievers, and the vectors of the two towers.

Training may add files of its own, which serving does not read.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import xgboost
from pydantic import BaseModel, ConfigDict, ValidationError

from core.disk import flush
from core.errors import ReleaseError
from features.columns import StoredFeature
from features.interactions import Integers
from features.similarity import Similarities
from features.vector import DTYPE, VectorLayout
from serving.ensembles import Ensemble
from serving.networks import Network

MANIFEST = "release.json"
RANKER = "ranker.ubj"
NETWORK = "network.npz"
RETRIEVERS = "retrievers.npz"

ContentT = TypeVar("ContentT")


class LearnedExposures(BaseModel):
    """What training read of what learners had been shown.

    Attributes:
        lists: how many lists.
        places: how many places of them.
        chosen: how many of those were clicked or led to an enrollment.
        releases: how many places each release had ranked.
        contests: choices between places that the propensities were estimated from.
        propensities: how much a place is looked at, relative to the one that is looked at most, by the first place of
            a group that shares it; empty where there was too little to estimate them.
        learned: choices that the ranker was fitted on, besides the decisions; 0 without propensities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lists: int
    places: int
    chosen: int
    releases: dict[str, int]
    contests: int
    propensities: dict[str, float]
    learned: int


class ReleaseManifest(BaseModel):
    """What a release is.

    Attributes:
        format: version of this layout of files.
        version: name of the release.
        created_at: when it was written.
        feature_service: name of the Feast feature service that its features come from.
        stored_features: the features it reads of the store, and how each becomes columns; empty in a release of a
            version that did not record them, which reads what its feature service declares.
        learner_features: names of the columns of learner features it reads.
        course_features: names of the columns of course features it reads.
        vector_names: names of all columns of the vector in order.
        vector_dtype: type of the columns.
        vector_digest: hash of the layout of the vector (`VectorLayout.digest`).
        defaults: median of each column of the vector in which training saw no missing value; it is read in place of
            one. In other columns the ranker has learned what to do without a value.
        data_fingerprint: of the lake that it was trained on.
        since: first moment of the decisions that it learned from, if that was asked for.
        until: moment that it was told to know nothing of, if that was asked for.
        trained_from: moment of the earliest enrollment that was known.
        trained_until: moment that everything it has seen lies before.
        training_decisions: how many decisions the ranker was fitted on.
        exposures: what was learned from what learners had been shown; None where that was not read.
        seed: of everything random in training.
        rounds: trees of the ranker; 0 in a release of a version that did not record them.
        metrics: figures of the evaluation of the same training on an earlier moment.
        code_version: version of Waymark that trained it.
        files: sha256 of every other file, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    version: str
    created_at: datetime
    feature_service: str
    stored_features: tuple[StoredFeature, ...] = ()
    learner_features: tuple[str, ...]
    course_features: tuple[str, ...]
    vector_names: tuple[str, ...]
    vector_dtype: str = DTYPE
    vector_digest: str
    defaults: dict[str, float] = {}
    data_fingerprint: str
    since: datetime | None = None
    until: datetime | None = None
    trained_from: datetime
    trained_until: datetime
    training_decisions: int
    exposures: LearnedExposures | None = None
    seed: int
    rounds: int = 0
    metrics: dict[str, Any]
    code_version: str
    files: dict[str, str] = {}


@dataclass(frozen=True, eq=False)
class Release:
    """A release that was verified.

    Attributes:
        manifest: what it is.
        layout: of the vector that the ranker reads.
        ensemble: the ranker; the feature names of its trees are those of the layout.
        course_ids: int64[n] sorted, what the similarities' positions mean.
        similarities: of the retrievers.
    """

    manifest: ReleaseManifest
    layout: VectorLayout
    ensemble: Ensemble
    course_ids: Integers
    similarities: Similarities


def write_release(
    folder: Path,
    manifest: ReleaseManifest,
    ensemble: Ensemble,
    course_ids: Integers,
    similarities: Similarities,
    *,
    extras: Mapping[str, bytes] | None = None,
) -> str:
    """Write a release to a folder that appears only when it is complete.

    Args:
        folder: to write.
        manifest: what it is; the digests of its files are added.
        ensemble: the ranker.
        course_ids: int64[n] sorted, what the similarities' positions mean.
        similarities: of the retrievers.
        extras: contents of further files, by name, that are verified like the others and that serving does not read.

    Returns:
        sha256 of the manifest.
    """
    contents = {
        **(extras or {}),
        RANKER: bytes(ensemble.booster.save_raw(raw_format="ubj")),
        RETRIEVERS: _packed({"course_ids": course_ids, **similarities.arrays}),
    }
    if ensemble.network is not None:
        contents[NETWORK] = _packed(ensemble.network.arrays)
    return _write(folder, manifest, contents)


def rewrite_release(folder: Path, digest: str, target: Path, replaced: Mapping[str, bytes]) -> str:
    """Write a release anew to another folder, with other contents of some of its files.

    Args:
        folder: of the release.
        digest: of its manifest.
        target: to write; what an interrupted call has left there is replaced.
        replaced: the other contents, by name.

    Returns:
        sha256 of the new manifest.

    Raises:
        ReleaseError: the release is damaged.
    """
    manifest = read_manifest(folder, digest)
    kept = {name: _read(folder / name, known) for name, known in manifest.files.items() if name not in replaced}
    shutil.rmtree(target, ignore_errors=True)
    return _write(target, manifest, {**kept, **replaced})


def _write(folder: Path, manifest: ReleaseManifest, contents: Mapping[str, bytes]) -> str:
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    described = manifest.model_copy(update={"files": files}).model_dump_json(indent=2).encode()
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, content in {**contents, MANIFEST: described}.items():
            with (draft / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        flush(draft)
        draft.rename(folder)
    except BaseException:
        # Whatever was written, on a disk that is full, is in the way of everything else.
        shutil.rmtree(draft, ignore_errors=True)
        raise
    # The register must not name what a power cut takes back.
    flush(folder.parent)
    return hashlib.sha256(described).hexdigest()


def verify_release(folder: Path, digest: str) -> None:
    """Compare the bytes of all files of a release with what was recorded of them.

    Raises:
        ReleaseError: it is damaged or of another format.
    """
    for name, known in read_manifest(folder, digest).files.items():
        _read(folder / name, known)


def load_release(folder: Path, digest: str) -> Release:
    """Read a release and verify every byte of it.

    Raises:
        ReleaseError: it is damaged, of another format, or made for other features than this code computes.
    """
    manifest = read_manifest(folder, digest)
    layout = VectorLayout(manifest.learner_features, manifest.course_features, manifest.defaults)
    if layout.digest != manifest.vector_digest or layout.names != manifest.vector_names:
        raise ReleaseError(f"Release {manifest.version} was trained on other features than this version computes.")
    if not {RANKER, RETRIEVERS} <= manifest.files.keys():
        raise ReleaseError(f"Release {manifest.version} lacks a file.")
    booster = _booster(_read(folder / RANKER, manifest.files[RANKER]), manifest, layout)
    course_ids, similarities = _unpacked(folder, manifest, RETRIEVERS, _retrievers)
    network = _unpacked(folder, manifest, NETWORK, Network.of) if NETWORK in manifest.files else None
    if network is not None and network.knots.width != len(layout.names):
        raise ReleaseError(f"The network of release {manifest.version} reads other features than its manifest says.")
    return Release(manifest, layout, Ensemble(booster, network), course_ids, similarities)


def read_manifest(folder: Path, digest: str) -> ReleaseManifest:
    """Read what a release is.

    Raises:
        ReleaseError: it is damaged or of another format.
    """
    try:
        return ReleaseManifest.model_validate_json(_read(folder / MANIFEST, digest))
    except ValidationError as error:
        raise ReleaseError(f"The release in {folder} is of a format that this version does not read.") from error


def refuse_other_encodings(live: ReleaseManifest, candidate: ReleaseManifest) -> None:
    """Refuse a release to be served beside another one that makes a column from something else.

    Raises:
        ReleaseError: both cannot be served what they were trained on.
    """
    sources = {column: feature for feature in live.stored_features for column in feature.columns}
    other = sorted(
        {
            feature.name
            for feature in candidate.stored_features
            for column in feature.columns
            if sources.get(column, feature) != feature
        }
    )
    if other:
        raise ReleaseError(
            f"Release {candidate.version} reads {', '.join(other)} in another way than the live release "
            f"{live.version}, and one process reads it in one way."
        )


def read_extra(folder: Path, manifest: ReleaseManifest, name: str) -> bytes | None:
    """Read a file that training added to a release; None when this release has none of that name.

    Raises:
        ReleaseError: it is damaged.
    """
    return _read(folder / name, manifest.files[name]) if name in manifest.files else None


def _read(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"The release file {path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseError(f"The release file {path} is damaged: its digest is not the recorded one.")
    return content


def _booster(content: bytes, manifest: ReleaseManifest, layout: VectorLayout) -> xgboost.Booster:
    try:
        # One thread: a request ranks a few hundred rows, and requests run side by side.
        booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise ReleaseError(f"The ranker of release {manifest.version} cannot be read.") from error
    if tuple(booster.feature_names or ()) != layout.names:
        raise ReleaseError(f"The ranker of release {manifest.version} reads other features than its manifest says.")
    return booster


def _packed(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpacked(
    folder: Path, manifest: ReleaseManifest, name: str, build: Callable[[Mapping[str, Any]], ContentT]
) -> ContentT:
    content = _read(folder / name, manifest.files[name])
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return build(arrays)
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        what = name.removesuffix(".npz")
        raise ReleaseError(f"The {what} of release {manifest.version} cannot be read.") from error


def _retrievers(arrays: Mapping[str, Any]) -> tuple[Integers, Similarities]:
    course_ids: Integers = arrays["course_ids"]
    return course_ids, Similarities.of(arrays, len(course_ids))
