"""The name of the guide to files in messages."""

from __future__ import annotations

#: Follows "See" or "see": which folders, files and axes are read, and what to say about them.
MY_DATA = "the guide 'My data'"
