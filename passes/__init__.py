"""One pass a file; pipelines.py lists them in order."""
