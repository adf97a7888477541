"""The peers' own ways to run steps that do nothing, one module for each; each is run by the Python of its own room."""
