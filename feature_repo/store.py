"""The feature store, opened from a profile and two addresses. Feast itself calls nobody and counts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]
from feast import FeatureStore, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from sqlalchemy.pool import NullPool

from core.errors import InputError
from features import learner

PROJECT = "waymark"
KEY_VERSION = 3
"""How Feast writes keys; the profile says the same."""
PATIENCE = 10.0
"""Seconds to wait for Redis while writing; serving waits much less (`serving.learner_features.TIMEOUT`)."""


def registry_path(data_dir: Path) -> Path:
    """Return the file of Feast's registry, which is there once features were applied."""
    return data_dir.resolve() / "features" / "registry.db"


def open_store(data_dir: Path, redis_url: str, project: str = PROJECT, *, timeout: float = PATIENCE) -> FeatureStore:
    """Return the feature store of a data folder. One per process: two that alternate cost ten times as much.

    Args:
        data_dir: feature tables and the registry lie in `<data_dir>/features`.
        redis_url: `redis://` or `rediss://`.
        project: keeps the keys of platforms apart that share one Redis; letters, digits and underscores.
        timeout: seconds until Redis counts as gone.

    Raises:
        InputError: the URL cannot be used.
    """
    folder = data_dir.resolve() / "features"
    folder.mkdir(parents=True, exist_ok=True)
    profile = yaml.safe_load((Path(__file__).parent / "profiles" / "local.yaml").read_text(encoding="utf-8"))
    profile["project"] = project
    profile["registry"]["path"] = f"sqlite:///{registry_path(data_dir)}"
    # A connection is closed after use: the registry is read rarely, and nothing is left to close at the end.
    profile["registry"]["sqlalchemy_config_kwargs"] = {"echo": False, "poolclass": NullPool}
    profile["online_store"]["connection_string"] = connection_string(redis_url, timeout)
    return FeatureStore(config=RepoConfig(**profile, repo_path=folder))


def write_config(data_dir: Path, project: str) -> None:
    """Write `feature_store.yaml` beside the registry, for Feast's own tools that only read, such as `feast ui`.

    It names no online store, because that one's address may hold a password.

    Raises:
        OSError: it cannot be written.
    """
    path = registry_path(data_dir)
    config = {
        "project": project,
        "provider": "local",
        "entity_key_serialization_version": KEY_VERSION,
        "registry": {"registry_type": "sql", "path": f"sqlite:///{path}"},
        "offline_store": {"type": "duckdb"},
        "online_store": None,
    }
    draft = path.with_name("feature_store.yaml.draft")
    draft.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    draft.replace(path.with_name("feature_store.yaml"))


def online_keys(project: str, learner_ids: Iterable[int]) -> list[bytes]:
    """Return the keys in Redis that hold everything that is online of learners, of whichever view.

    Feast deletes the values of all learners or of none, so that ours must find the key of one.
    """
    return [
        serialize_entity_key(
            EntityKey(join_keys=[learner.ENTITY], entity_values=[Value(int64_val=learner_id)]),
            entity_key_serialization_version=KEY_VERSION,
        )
        + project.encode()
        for learner_id in learner_ids
    ]


def connection_string(redis_url: str, timeout: float) -> str:
    """Return a Redis URL in the form that Feast parses: `host:port,name=value,…`, the values in JSON.

    Raises:
        InputError: it is not a URL of Redis, or has an address that this form cannot hold.
    """
    try:
        parts = urlsplit(redis_url)
        host, port = parts.hostname, parts.port or 6379
        database = int(parts.path.strip("/") or 0)
    except ValueError as error:
        raise InputError("The Redis URL cannot be read; expected redis://:password@host:port/0.") from error
    if parts.scheme not in ("redis", "rediss") or not host:
        raise InputError("The Redis URL must start with redis:// or rediss:// and name a host.")
    if ":" in host:
        raise InputError("The Redis URL must name a host or an IPv4 address: the feature store reads no IPv6 address.")
    options: dict[str, Any] = {
        "db": database,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # By default the client retries for seconds; whoever asks has a fallback or a person to tell.
        "retry": None,
    }
    if parts.scheme == "rediss":
        options["ssl"] = True
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            options[name] = unquote(value)
    # Feast splits at commas before it reads the values.
    values = (f"{name}={json.dumps(value)}".replace(",", "\\u002c") for name, value in options.items())
    return ",".join([f"{host}:{port}", *values])
