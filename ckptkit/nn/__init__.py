"""Torch modules of the vocabulary; importing anything below this package imports torch."""
