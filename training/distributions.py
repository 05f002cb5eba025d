"""What the stored features were like when a release was trained, as the tables told it then."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from core.errors import ReleaseError
from features.drift import Sketch

DISTRIBUTIONS = "distributions.json"
"""The file of a release."""


class Distributions(BaseModel):
    """Sketches of features, over the entities that had a row by a moment.

    Attributes:
        as_of: the moment, the end of the training data.
        features: by `view:name`, one sketch for each column of the feature. Of a moment (`_at`) it is of how many
            seconds ago it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: datetime
    features: dict[str, tuple[Sketch, ...]]

    @model_validator(mode="after")
    def _are_sketches(self) -> Distributions:
        for sketches in self.features.values():
            for each in sketches:
                if len(each.counts) != len(each.edges) + 2 or min(each.counts) < 0:
                    raise ValueError("A sketch has a count for each bin, and one for what is missing.")
        return self

    def packed(self) -> bytes:
        """Return the content of a file."""
        return self.model_dump_json().encode()

    @classmethod
    def unpacked(cls, content: bytes) -> Distributions:
        """Return what a file holds.

        Raises:
            ReleaseError: it is none.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise ReleaseError("The distributions of the release cannot be read.") from error
