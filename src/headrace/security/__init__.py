"""Keeping what must not be seen unseen: secrets. Not who may do what in the operating system."""
