"""Files that grow, and folders that files come to."""
