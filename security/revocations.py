"""Access tokens that are not believed any more, as far as this process has heard.

The table `revocations` is the truth. A process hears of its own at once and reads those of others every second, so no
request waits for a statement. Older ones than the lifetime of a token are forgotten: what they revoked has expired.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID


class Revocations:
    """What was revoked, bounded by the lifetime of a token.

    Args:
        lifetime: how long a revocation is remembered.
    """

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self._sessions: dict[UUID, float] = {}
        self._accounts: dict[int, float] = {}

    def add(self, session_id: UUID | None, account_id: int | None, revoked_at: datetime) -> None:
        """Revoke all tokens of a session, or those of an account that were issued until a moment."""
        moment = revoked_at.timestamp()
        if session_id is not None:
            self._sessions[session_id] = max(moment, self._sessions.get(session_id, moment))
        if account_id is not None:
            self._accounts[account_id] = max(moment, self._accounts.get(account_id, moment))

    def cover(self, session_id: UUID, account_id: int, issued: float) -> bool:
        """Say whether a token is revoked."""
        if session_id in self._sessions:
            return True
        moment = self._accounts.get(account_id)
        return moment is not None and issued <= moment

    def forget(self, now: datetime) -> None:
        """Forget what concerns only tokens that have expired."""
        since = (now - self.lifetime).timestamp()
        self._sessions = {key: moment for key, moment in self._sessions.items() if moment > since}
        self._accounts = {key: moment for key, moment in self._accounts.items() if moment > since}

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._sessions) + len(self._accounts)
