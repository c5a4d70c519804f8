"""``sklearnloss compare``: find the best loss for the images in a folder."""

from ._duration import parse_duration
from ._options import Options
from ._presets import fill_in
from ._run import describe_data, run_compare

__all__ = ["Options", "describe_data", "fill_in", "parse_duration", "run_compare"]
