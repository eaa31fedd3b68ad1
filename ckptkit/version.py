"""The versions that ckptkit states: of itself and of the specification it writes."""

__version__ = "0.1.0"
SPEC_VERSION = "2.0"
