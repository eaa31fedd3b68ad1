"""Apply the JSON Schemas of `schemas/` and carry manifests from one spec version to the next."""
