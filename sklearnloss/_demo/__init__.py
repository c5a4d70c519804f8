"""``sklearnloss demo``: losses compared on real images, as a table and a picture."""

from ._run import run_demo

__all__ = ["run_demo"]
