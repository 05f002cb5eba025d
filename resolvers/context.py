"""What a batch resolver or a command is given besides its parents: one request's view of the house."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from catalog.quality import Standards
from core.clock import Clock
from database.notifications import Notifications
from database.session import Database, Reader
from security.policies import Identity
from warehouse.analytics import Analyst

if TYPE_CHECKING:
    from security.encryption import Cipher
    from security.passwords import Passwords
    from security.tokens import Tokens
    from serving.recommender import Recommender


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that live as long as the process.

    Attributes:
        cipher: encrypts personal data.
        passwords: hashes and verifies them.
        tokens: issues and reads access tokens.
        recommender: ranks courses.
        analyst: answers questions from the lake; None where there is none.
        notifications: wakes subscriptions; without `database.notifications.listening` it wakes none.
    """

    cipher: Cipher
    passwords: Passwords
    tokens: Tokens
    recommender: Recommender
    notifications: Notifications = field(default_factory=Notifications)
    analyst: Analyst | None = None
    standards: Standards = field(default_factory=Standards)


@dataclass(slots=True)
class Context:
    """One request.

    Attributes:
        reader: the connection that all reads of the request share.
        database: opens the transaction of a mutation.
        clock: the only source of the current moment.
        identity: who is asking; None when signed out. A mutation that signs in or out replaces it.
        request_id: correlates the answer with logs, traces and the audit trail.
        services: parts that live as long as the process.
        client_address: network address of the caller, for throttling; never stored in plain.
        loaders: the request's DataLoaders; only `execution` touches them.
        authorship: which courses the caller has written, as far as was asked; only `resolvers.authors` touches it.
        observe: told the results of every batch resolver, while an answer is made that may be kept.
        recommendations: how many lists of recommendations the request has asked for, which is bounded.
    """

    reader: Reader
    database: Database
    clock: Clock
    identity: Identity | None
    request_id: UUID
    services: Services
    client_address: str | None = None
    loaders: dict[Hashable, Any] = field(default_factory=dict)
    authorship: dict[int, bool] = field(default_factory=dict)
    recommendations: int = 0
    observe: Callable[[Sequence[Any]], None] | None = None
