"""What an operation costs a client: checked before it runs, settled afterwards, and told with every answer."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from gateway.budgets import Budgets
from gateway.refusals import OperationCostError

_IPV6_PREFIX = 64
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spending:
    """The limits of cost.

    Attributes:
        budgets: of the clients; None for no budgets.
        most: what one operation may cost; None for no limit.
        shown: whether answers tell what they cost.
    """

    budgets: Budgets | None = None
    most: int | None = None
    shown: bool = True

    async def admit(self, client: str, requested: int) -> None:
        """Take what an operation may cost out of the budget of a client.

        Raises:
            OperationCostError: no operation may cost so much.
            OverBudgetError: the client has not so much left.
        """
        if self.most is not None and requested > self.most:
            raise OperationCostError(requested, self.most)
        if self.budgets is not None:
            await self.budgets.take(client, requested)

    def settle(self, client: str, points: int) -> None:
        """Give back what was taken and not used; below zero, take what was used besides."""
        if self.budgets is not None and points:
            self.budgets.settle(client, points)

    def told(self, client: str, requested: int, actual: int) -> dict[str, Any] | None:
        """Return what an answer tells of its cost."""
        if not self.shown:
            return None
        told: dict[str, Any] = {"requested": requested, "actual": actual}
        if self.budgets is not None:
            told["remaining"] = self.budgets.remaining(client)
            told["limit"] = self.budgets.capacity
            told["refillPerSecond"] = self.budgets.refill
        return told


def network(address: str | None) -> str:
    """Return what stands for a client that nobody knows: its address, or the network that it may choose one from."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or _UNKNOWN
    if isinstance(parsed, IPv6Address):
        return str(int(parsed) >> (128 - _IPV6_PREFIX))
    return str(parsed)
