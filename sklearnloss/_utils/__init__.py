"""Helpers used by all parts of the package.

``text`` writes messages and unique names, ``printable`` escapes text for terminals,
``temporary_file`` replaces a file atomically, ``import_object`` imports by name, ``pipeline`` finds
the last step of a pipeline or search, ``rows`` selects some of the images or masks, and ``guides``
names the guide to files in messages.
"""
