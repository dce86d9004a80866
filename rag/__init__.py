"""Wenju (文据): question answering over official documents, every sentence with its evidence."""

__version__ = "0.1.0"
