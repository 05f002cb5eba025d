"""What every mutation answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import CommandError


@dataclass(frozen=True, kw_only=True)
class Payload:
    """The part that all payloads share; a refused command has errors and no objects."""

    user_errors: Sequence[CommandError] = ()
