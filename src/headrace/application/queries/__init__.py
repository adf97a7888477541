"""The read side: what happened, folded from events. It asks the event store and changes nothing."""
