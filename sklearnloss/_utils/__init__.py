"""Helpers used by all parts of the package.

``text`` writes messages and unique names, ``printable`` escapes text for terminals and prints it,
``temporary_file`` replaces a file atomically, ``import_object`` imports by name, ``optional``
imports libraries that may be missing, ``pipeline`` finds the last step of a pipeline or search,
``rows`` selects some of the images or masks, and ``guides`` has the addresses of pages that
messages name.
"""
