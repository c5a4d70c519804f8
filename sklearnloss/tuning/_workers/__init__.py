"""Processes that search together, and storages that survive them.

``pool`` starts worker processes on this machine. ``storage`` opens the storage that they share: a
database at an ``address``, or a ``journal`` file, with ``retries`` of each call. ``liveness``
identifies the process that works on a candidate and checks whether it is alive, ``private_files``
prevents others from changing the code that a worker runs, and ``deadline`` ends a search in time.
An ``engine`` runs functions on a cluster, and ``errors`` sends exceptions from one process to
another.
"""
