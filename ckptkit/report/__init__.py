"""Render results: text and JSON, one module a format."""
