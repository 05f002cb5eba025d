"""Arguments of a call: from coerced variables to what a resolver takes, as Strawberry and graphql-core convert them."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLField
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_arguments

from execution.fields import DeclaredField, resolver_arguments
from execution.plan import Call


class Arguments:
    """The arguments of one call; the same for all of its parents."""

    def __init__(self, call: Call, config: StrawberryConfig, scalars: Any) -> None:
        field = call.fields[0]
        self._declared: DeclaredField = call.declared
        self._definition: GraphQLField = field.definition
        self._node = field.nodes[0]
        self._config = config
        self._scalars = scalars
        self._none = not field.definition.args

    def bind(self, variables: VariableValues, context: Any) -> dict[str, Any]:
        """Return the keyword arguments for the resolver, once the policy has allowed the call.

        Raises:
            Exception: what graphql-core, Strawberry, the policy or an input raises; each parent's field fails with it.
        """
        if self._none:
            self._declared.policy.enforce(context)
            return {}
        given = get_argument_values(self._definition, self._node, variables)
        converted = convert_arguments(given, self._declared.arguments, self._scalars, self._config)
        self._declared.policy.enforce(context)
        return resolver_arguments(converted)
