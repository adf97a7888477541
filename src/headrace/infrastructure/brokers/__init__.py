"""Sources and sinks of messages, each after its broker."""
