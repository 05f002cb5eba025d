"""What Feast must know: declared, never computed."""
