"""One file a format: how its rows become records."""
