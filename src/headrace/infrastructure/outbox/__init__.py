"""The outbox: relays events to webhooks and Redis streams, at least once and in the order of each run. Only to whom the settings name."""
