"""Helpers for all parts.

``text`` writes messages and unique names, ``printable`` escapes text for terminals,
``import_object`` imports by name, ``pipeline`` finds the last step of a pipeline or search, and
``rows`` takes a part of images or masks.
"""
