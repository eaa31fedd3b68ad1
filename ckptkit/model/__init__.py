"""Frozen data that every other package shares; nothing here opens a file."""
