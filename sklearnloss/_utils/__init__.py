"""Helpers for all parts: texts of messages, names that may have been meant, imports by name."""
