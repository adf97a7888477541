"""The ways of Redis and of Valkey, which speaks as Redis does: for sources, sinks and stores alike."""
