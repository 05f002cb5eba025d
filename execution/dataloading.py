"""Batching for graphql-core: siblings of one level that ask for the same field are answered by one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

from strawberry.dataloader import DataLoader

from execution.policies import Policy

BatchResolver = Callable[..., Awaitable[Sequence[Any]]]


class BatchContext(Protocol):
    """What this module needs of a request context: a place for the request's loaders."""

    loaders: dict[Hashable, DataLoader[Any, Any]]


async def load(
    context: BatchContext, resolver: BatchResolver, policy: Policy, parent: Any, arguments: dict[str, Any]
) -> Any:
    """Return `resolver`'s result for one parent, answered together with its siblings that `policy` allows.

    Raises:
        Exception: whatever the resolver returned for this parent, or raised for all; or the policy's refusal.
    """
    key = (resolver, policy, freeze(arguments))
    loader = context.loaders.get(key)
    if loader is None:

        async def answer(parents: list[Any]) -> list[Any]:
            return await policy.resolve(resolver, context, parents, arguments)

        # Rows are not hashable where a column is an array, and two equal parents are two parents: no cache.
        loader = context.loaders[key] = DataLoader(load_fn=answer, cache=False)
    return await loader.load(parent)


def freeze(value: Any) -> Hashable:
    """Return a hashable equal of a GraphQL argument: scalars, enums, lists, dicts and dataclasses of them."""
    if isinstance(value, dict):
        return tuple((name, freeze(item)) for name, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value), tuple(freeze(getattr(value, field.name)) for field in fields(value)))
    hash(value)
    frozen: Hashable = value
    return frozen
