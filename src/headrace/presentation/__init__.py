"""How Headrace is seen: pictures and pages. It asks the read side, and decides nothing."""
