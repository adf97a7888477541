"""How pages of records are fetched from an API over HTTP: asked for, paced, authenticated, turned. Not what a run does with the records."""
