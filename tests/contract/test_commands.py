"""Every command explains itself, in its help and in docs/commands.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli.main import app

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, as `waymark group command`."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from leaves(command.get_command(None, name), (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(typer.main.get_command(app), ("waymark",)))


@pytest.mark.parametrize("name", COMMANDS)
def test_command_says_what_it_reads_and_writes(name: str) -> None:
    """The help is a sentence, and names what is read and what is written; every option has help."""
    command = COMMANDS[name]
    said = command.help.lower()
    assert "read" in said, name
    assert "writ" in said, name
    assert [] == [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]


def test_document_lists_every_command_and_no_other() -> None:
    """Headings of docs/commands.md are the commands, and what it says of each is the command's own help."""
    text = DOCUMENT.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(waymark [a-z -]+)`\n\n(.*?)(?=\n## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sorted(COMMANDS) == sorted(sections)
    for name, command in COMMANDS.items():
        assert inspect.cleandoc(command.help) in sections[name], name
        for parameter in command.params:
            for option in getattr(parameter, "opts", ()):
                if option.startswith("--"):
                    assert f"`{option}`" in sections[name], (name, option)
