from __future__ import annotations

import pytest
import torch

from sklearnloss.networks import UNet


@pytest.mark.parametrize(
    "size", [(16, 16), (17, 30), (5, 5), (1, 1), (1, 64), (33,), (7,), (8, 9, 10), (1, 2, 3)]
)
def test_logits_have_the_size_of_the_image(size: tuple[int, ...]) -> None:
    net = UNet(2, 3, depth=3, width=4, n_axes=len(size))
    assert net(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("norm", ["group", "batch", "instance", "none"])
def test_every_norm_trains(norm: str) -> None:
    net = UNet(depth=2, width=4, norm=norm)  # type: ignore[arg-type]
    net(torch.randn(2, 1, 8, 8)).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_width_and_depth_set_the_channels() -> None:
    net = UNet(depth=3, width=4)
    assert net.down[-1][0].out_channels == 32  # type: ignore[index]
    assert len(net.up) == 3


def test_padding_repeats_the_edge_and_does_not_change_what_is_inside() -> None:
    torch.manual_seed(0)
    net = UNet(depth=1, width=4).eval()
    x = torch.randn(1, 1, 7, 7)
    edge = torch.nn.functional.pad(x, (0, 1, 0, 1), mode="replicate")
    torch.testing.assert_close(net(x), net(edge)[..., :7, :7])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"norm": "layer"}, "norm='layer': expected 'group'"),
        ({"depth": 0}, "depth and width must be at least 1"),
        ({"n_axes": 4}, "n_axes=4: expected 1, 2 or 3"),
    ],
)
def test_illegal_settings_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UNet(**params)  # type: ignore[arg-type]


def test_any_width_has_groups() -> None:
    assert UNet(width=5, depth=1)(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 4, 4)
