"""The documents say what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CODE = [path for pattern in ("*.py", "*.sh", "Makefile") for path in ROOT.rglob(pattern) if ".venv" not in path.parts]


def settings(model: type[BaseModel] = Settings, prefix: str = "WAYMARK_") -> Iterator[tuple[str, str, str]]:
    """Yield variable, default and meaning of every setting."""
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from settings(part, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", default(field), field.description or ""


def default(field: FieldInfo) -> str:
    """Return a default as the table writes it."""
    if field.default is None or field.default is PydanticUndefined:
        return ""
    return f"`{field.default}`"


def test_operations_document_every_setting() -> None:
    """The table is the class: names, defaults and meanings."""
    rows = re.findall(
        r"^\| `(WAYMARK_\w+)` \| (.*?) ?\| (.*) \|$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert list(settings()) == [tuple(row) for row in rows]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A relative link names a file of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_a_shortcut_in_the_code_is_in_the_debt_register() -> None:
    """A TODO names its entry, such as `TODO(D3)`, and the entry exists."""
    known = set(re.findall(r"^\| (D\d+) \|", (ROOT / "docs/debt.md").read_text(encoding="utf-8"), re.MULTILINE))
    marks = [
        (path, mark)
        for path in CODE
        if path != Path(__file__).resolve()
        for mark in re.findall(r"\b(?:TODO|FIXME|XXX)\b(?:\((D\d+)\))?", path.read_text(encoding="utf-8"))
    ]
    assert [] == [(str(path), mark) for path, mark in marks if mark not in known]
