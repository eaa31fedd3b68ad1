"""Recover an architecture: families, one a file or folder, and the graphs that they build."""
