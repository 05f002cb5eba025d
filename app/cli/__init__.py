"""The `waymark` command line, one file a group of commands."""

from app.cli.main import main

__all__ = ["main"]
