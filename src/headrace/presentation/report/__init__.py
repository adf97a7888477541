"""A run as a picture and as a page, in one file that needs nothing else."""
