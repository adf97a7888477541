"""Sinks that take the output of a stream, epoch by epoch: tables in transactions of their own, every other target by publications."""
