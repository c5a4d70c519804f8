"""Processes that search together, and storages that survive them.

``pool`` starts worker processes on this machine. ``storage`` opens what they share: a database at
an ``address``, or a ``journal`` file, each call with ``retries``. ``liveness`` tells which process
works on a candidate and whether it still does, ``private_files`` keeps others from changing what a
worker runs, and ``deadline`` ends a search in time.
"""
