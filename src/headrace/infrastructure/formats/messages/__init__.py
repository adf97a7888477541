"""How rows are written in messages."""
