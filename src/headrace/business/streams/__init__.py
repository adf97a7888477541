"""Streams: the ports of what never ends, and what they mean. No broker, no database, no clock."""
