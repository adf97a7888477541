"""Messages that are generated, for tests, demonstrations and measurements."""
