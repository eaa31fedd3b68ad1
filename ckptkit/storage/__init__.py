"""The only package that opens files: bounded reads, containers, and atomic writes."""
