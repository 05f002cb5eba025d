"""What the audit trail may hold."""

from __future__ import annotations

import pytest

from security.audit import Detail, refuse_personal_data


@pytest.mark.parametrize(
    "value",
    ["ana@example.com", "Ana Maria", "Ñandú", "192.0.2.7/24", "x" * 81, "line\nline", ["done", "ana@example.com"], 1.5],
)
def test_detail_that_could_be_personal_is_a_bug(value: Detail) -> None:
    """Anything that a person could have typed is refused, without being repeated in the message."""
    with pytest.raises(ValueError, match="'detail'") as refused:
        refuse_personal_data({"detail": value})
    assert str(value) not in str(refused.value)


@pytest.mark.parametrize(
    "value", [5, True, None, "NOT_FOUND", "019c0a7e-7b1e-7000-8000-000000000000", [1, 2], ["en", "pt-br"]]
)
def test_ids_and_names_of_enums_pass(value: Detail) -> None:
    """Numbers, flags, codes, ids and tags are no personal data."""
    refuse_personal_data({"detail": value})
