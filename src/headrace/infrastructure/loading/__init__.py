"""How a definition's text becomes a definition: reading with positions, replacing references, building parts, telling what is wrong.
Its door is `infrastructure.loader`. Not what a definition comes to (see `business.processing.plan`)."""
