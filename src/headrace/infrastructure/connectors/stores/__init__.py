"""Files that lie elsewhere: object stores and file servers, for the source and the sink `file`. Not the formats of files."""
