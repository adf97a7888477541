"""Streams as they run: taking in, checkpoints, recovery. Not what rows mean, and no broker by name."""
