"""The bus: events, how they are wrapped and stored, and who hears of them. It knows nothing of pipelines but the names of what happened."""
