"""The `waymark` command line, one file a group of commands."""
