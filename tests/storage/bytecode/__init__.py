"""Tests of the reading of code by value."""
