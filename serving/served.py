"""Which stored features serving reads, and which of their views can be read now.

What is read follows the releases in use: each has recorded its features when it was trained, and is served those.
A view that is gone, was changed, or is older than it declares is not read: its columns are missing, which the
releases replace by what their training saw (`VectorLayout.fill`). That is logged and counted, and never an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics

from core.clock import Clock, system_clock
from core.errors import InputError, UnavailableError
from features.columns import MAX_AGE_TAG, Owner, StoredFeature, stored_feature

if TYPE_CHECKING:
    from serving.artifact import ReleaseManifest

_LOG = logging.getLogger(__name__)

Releases = Callable[[], Sequence["ReleaseManifest"]]


class ReadingOfOwner(NamedTuple):
    """What is read of learners, or of courses.

    Attributes:
        columns: names of all columns, sorted.
        features: what the store is asked for.
        places: positions of the columns of each of these, by name.
        views: feature views as Feast knows them, each with those of the features that it has.
    """

    columns: tuple[str, ...]
    features: tuple[StoredFeature, ...]
    places: Mapping[str, list[int]]
    views: tuple[tuple[Any, tuple[StoredFeature, ...]], ...]


@dataclass(frozen=True)
class Reading:
    """What is read at one time.

    Attributes:
        wanted: features that a release reads, those that cannot be read included.
        readable: features that the store is asked for.
        lost: why a view, by name, is not read, wholly or in part.
        until: when a view that is read becomes too old; None when none does.
        views: the feature views of the readable features by name, as Feast knew them when they were looked up.
    """

    wanted: tuple[StoredFeature, ...]
    readable: tuple[StoredFeature, ...]
    lost: Mapping[str, str]
    until: datetime | None
    views: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def of(self, owner: Owner) -> ReadingOfOwner:
        """Return what is read of an owner; remembered, because each request asks."""
        return self._by_owner[owner]

    @cached_property
    def _by_owner(self) -> Mapping[Owner, ReadingOfOwner]:
        owners: tuple[Owner, ...] = ("learner", "course")
        return {owner: self._of(owner) for owner in owners}

    def _of(self, owner: Owner) -> ReadingOfOwner:
        columns = tuple(sorted(column for each in self.wanted if each.owner == owner for column in each.columns))
        features = tuple(each for each in self.readable if each.owner == owner)
        places = {each.name: [columns.index(column) for column in each.columns] for each in features}
        names = dict.fromkeys(each.view for each in features)
        views = ((self.views[name], tuple(each for each in features if each.view == name)) for name in names)
        return ReadingOfOwner(columns, features, places, tuple(views))


class ServedFeatures:
    """Looks up what to read, once for learners and courses; blocks, so call it in a thread.

    Args:
        store: a `feast.FeatureStore`.
        service: name of the feature service that is read while there is no release.
        releases: the manifests of the releases in use, the live one first.
        clock: the current moment.
    """

    def __init__(self, store: Any, service: str, releases: Releases = tuple, clock: Clock = system_clock) -> None:
        self.store = store
        self._service = service
        self._releases = releases
        self._clock = clock
        self._reading: Reading | None = None
        self._followed: tuple[str, ...] = ()
        self._recorded: tuple[StoredFeature, ...] = ()
        self._counter = metrics.get_meter("waymark.serving").create_counter(
            "waymark.features.defaulted", description="Times that a view was found unreadable, by view."
        )

    @property
    def reading(self) -> Reading:
        """What is read; looked up when it was not yet.

        Raises:
            UnavailableError: no feature service is declared yet.
        """
        return self._reading or self.refresh()

    @property
    def lost(self) -> Mapping[str, str]:
        """Why a view, by name, is not read; empty when all is well."""
        return self._reading.lost if self._reading is not None else {}

    @property
    def is_outdated(self) -> bool:
        """Whether other releases are in use than before, or a view has become too old."""
        if self._reading is None or self._versions() != self._followed:
            return True
        until = self._reading.until
        return until is not None and self._clock() > until

    def refresh(self) -> Reading:
        """Look everything up anew in the registry, which another process may have changed.

        Raises:
            UnavailableError: the registry cannot be read, or there is neither a release nor a feature service.
        """
        try:
            self.store.refresh_registry()
            wanted, before = self._wanted(), self._recorded
        except Exception as error:
            raise UnavailableError(f"The feature service {self._service} cannot be read: {error}") from error
        columns = {column for feature in wanted for column in feature.columns}
        # Who began with the releases of before may still be ranking: its features are read for one turn more.
        earlier = tuple(each for each in before if columns.isdisjoint(each.columns))
        lost: dict[str, str] = {}
        ends: list[datetime] = []
        views = {view.name: view for view in self.store.list_feature_views()}
        readable = self._readable(views, wanted, lost, ends)
        readable += [each for each in self._readable(views, earlier, {}, []) if each not in readable]
        found = Reading((*wanted, *earlier), tuple(readable), lost, min(ends, default=None), views)
        self._tell(found)
        versions = self._versions()
        if versions != self._followed:
            self._recorded = wanted
        self._followed = versions
        self._reading = found
        return found

    def _versions(self) -> tuple[str, ...]:
        return tuple(each.version for each in self._releases())

    def _wanted(self) -> tuple[StoredFeature, ...]:
        manifests = self._releases()
        features: dict[str, StoredFeature] = {}
        for number, manifest in enumerate(manifests):
            try:
                # Releases of before features were recorded read what their service declares.
                found = manifest.stored_features or tuple(self._declared(manifest.feature_service))
            except Exception as error:  # Feast raises errors of many families.
                if number == 0:
                    raise
                # Without its features a release beside the live one is refused, and the live one is served.
                _LOG.warning("What release %s reads is not declared: %r", manifest.version, error)
                continue
            for each in found:
                features.setdefault(each.name, each)
        if not manifests:
            features = {each.name: each for each in self._declared(self._service)}
        return tuple(features.values())

    def _declared(self, service: str) -> Iterable[StoredFeature]:
        for projection in self.store.get_feature_service(service).feature_view_projections:
            owner = _owner(self.store.get_feature_view(projection.name))
            if owner is not None:
                for field in projection.features:
                    yield stored_feature(owner, projection.name, field.name, str(field.dtype), field.tags)

    def _readable(
        self,
        views: Mapping[str, Any],
        wanted: Iterable[StoredFeature],
        lost: dict[str, str],
        ends: list[datetime],
    ) -> list[StoredFeature]:
        """Return what can be read of views; tell in `lost` why the rest cannot, in `ends` until when the former can."""
        by_view: dict[str, list[StoredFeature]] = {}
        for feature in wanted:
            by_view.setdefault(feature.view, []).append(feature)
        readable = []
        for name, features in by_view.items():
            if name not in views:
                lost[name] = "is not declared"
                continue
            view = views[name]
            end = _end(view)
            if end is not None and self._clock() > end:
                lost[name] = f"is older than it declares since {end:%Y-%m-%d %H:%M} UTC"
                continue
            if end is not None:
                ends.append(end)
            same = [each for each in features if each in declared_features(view)]
            if len(same) < len(features):
                names = ", ".join(each.name for each in features if each not in same)
                lost[name] = f"does not declare {names} any more as training read it"
            readable += same
        return readable

    def _tell(self, found: Reading) -> None:
        before = self.lost
        for name, reason in found.lost.items():
            self._counter.add(1, {"view": name})
            if before.get(name) != reason:
                _LOG.warning("The feature view %s %s: what training saw without it is served.", name, reason)
        for name in before:
            if name not in found.lost:
                _LOG.info("The feature view %s can be read again.", name)


def declared_features(view: Any) -> list[StoredFeature]:
    """Return what a feature view declares that a release can have recorded."""
    owner, found = _owner(view), []
    if owner is not None:
        for field in view.features:
            try:
                found.append(stored_feature(owner, view.name, field.name, str(field.dtype), field.tags))
            except InputError:
                # Declared by other means than ours, so that it is not what a release has read.
                continue
    return found


def _owner(view: Any) -> Owner | None:
    owners = list(view.entities)
    if owners == ["learner"]:
        return "learner"
    return "course" if owners == ["course"] else None


def _end(view: Any) -> datetime | None:
    """Return when what is online of a view becomes older than declared; None for never."""
    if MAX_AGE_TAG not in view.tags:
        return None
    newest = max((end for _, end in view.materialization_intervals), default=None)
    if newest is None:
        return datetime.fromtimestamp(0, UTC)
    end: datetime = newest + timedelta(seconds=float(view.tags[MAX_AGE_TAG]))
    return end
