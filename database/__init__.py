"""How rows are stored and fetched: tables, statements, sessions."""
