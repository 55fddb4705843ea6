"""chestlib: from a chest X-ray to findings, boxes and an honest report."""

__version__ = "0.1.0"
