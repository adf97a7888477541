"""What to do when others fail: try again, or leave them in peace. It knows nothing of pipelines."""
