"""chestlib: from a chest X-ray to findings, boxes and an honest report."""

__version__ = "0.2.0.dev0"
