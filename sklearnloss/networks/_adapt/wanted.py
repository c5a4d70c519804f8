"""What an estimator requires of a network."""

from __future__ import annotations

from dataclasses import dataclass

from .interface import USUAL_MULTIPLE


@dataclass(frozen=True)
class Wanted:
    """The data that a network is for.

    Attributes
    ----------
    in_channels : int
        Channels of the images.
    n_outputs : int
        Scores per image, or per pixel.
    image_shape : tuple of int
        Spatial shape of the first image.
    per_pixel : bool
        Whether there are scores for each pixel, rather than for each image.
    """

    in_channels: int
    n_outputs: int
    image_shape: tuple[int, ...]
    per_pixel: bool

    @property
    def n_axes(self) -> int:
        """Number of spatial axes."""
        return len(self.image_shape)

    @property
    def made_for(self) -> tuple[int, ...]:
        """The size that a network is made for which asks for one: masks are padded to it."""
        m = USUAL_MULTIPLE if self.per_pixel else 1
        return tuple(-(-side // m) * m for side in self.image_shape)

    @property
    def scores(self) -> str:
        """The shape of the scores, for messages."""
        spatial = ", *spatial" if self.per_pixel else ""
        return f"(n, {self.n_outputs}{spatial})"
