from __future__ import annotations

import pytest
import torch

from sklearnloss.estimators._training.memory_format import put_channels_last
from sklearnloss.networks import ResNet

# Names and shapes in torchvision's resnet18 checkpoint, and its number of parameters.
TORCHVISION = {
    "conv1.weight": (64, 3, 7, 7),
    "bn1.weight": (64,),
    "bn1.running_mean": (64,),
    "bn1.num_batches_tracked": (),
    "layer1.0.conv1.weight": (64, 64, 3, 3),
    "layer2.0.downsample.0.weight": (128, 64, 1, 1),
    "layer2.0.downsample.1.bias": (128,),
    "layer4.1.bn2.running_var": (512,),
    "fc.weight": (1000, 512),
    "fc.bias": (1000,),
}
N_PARAMETERS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032}


@pytest.mark.parametrize(("depth", "expected"), N_PARAMETERS.items())
def test_parameters_are_those_of_torchvision(depth: int, expected: int) -> None:
    net = ResNet(depth=depth)
    assert sum(p.numel() for p in net.parameters()) == expected
    names = set(net.state_dict())
    if depth == 18:
        assert {k: tuple(net.state_dict()[k].shape) for k in TORCHVISION} == TORCHVISION
        assert len(names) == 122
    assert ("layer1.0.conv3.weight" in names) == (depth == 50)
    assert ("layer1.0.downsample.0.weight" in names) == (depth == 50)


@pytest.mark.parametrize("size", [(8, 8), (1, 20), (33, 17), (12,), (5, 6, 7)])
@pytest.mark.parametrize("stem", ["tiny", "small", "large"])
def test_images_of_any_size_and_number_of_axes_pass(size: tuple[int, ...], stem: str) -> None:
    net = ResNet(2, 3, width=4, stem=stem, n_axes=len(size))  # type: ignore[arg-type]
    assert net(torch.zeros(2, 2, *size)).shape == (2, 3)


@pytest.mark.parametrize(("stem", "size"), [("tiny", 16), ("small", 8), ("large", 2)])
def test_stems_enlarge_keep_or_reduce_the_resolution(stem: str, size: int) -> None:
    net = ResNet(1, 10, width=4, stem=stem)  # type: ignore[arg-type]
    sizes = []
    net.layer1.register_forward_hook(lambda *args: sizes.append(args[2].shape[2:]))
    net(torch.zeros(2, 1, 8, 8))
    assert sizes == [(size, size)]
    assert set(net.state_dict()) == set(ResNet(1, 10, width=4).state_dict())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"depth": 19}, "depth=19: expected one of 18, 34, 50"),
        ({"width": 0}, "width must be at least 1"),
        ({"stem": "huge"}, "stem='huge': expected 'tiny', 'small' or 'large'"),
        ({"n_axes": 0}, "n_axes=0: expected 1, 2 or 3"),
    ],
)
def test_illegal_settings_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(**params)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [18, 50])
def test_gradients_do_not_depend_on_where_channels_lie(depth: int) -> None:
    torch.manual_seed(0)
    net = ResNet(1, 2, depth=depth, width=4).double()
    x = torch.randn(4, 1, 256, 256, dtype=torch.float64)
    net(x).square().sum().backward()
    expected = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    put_channels_last(net.float())
    net(x.float()).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(
            parameter.grad.double(),
            expected[name],
            rtol=1e-2,
            atol=5e-3 * expected[name].abs().max().item(),
        )


def test_a_shortcut_is_a_convolution_with_strides() -> None:
    shortcut = ResNet(1, 2, width=4).get_submodule("layer2.0.downsample")
    x = torch.randn(2, 4, 9, 12)
    weight, norm = shortcut.get_parameter("0.weight"), shortcut.get_submodule("1")
    expected = norm(torch.nn.functional.conv2d(x, weight, stride=2))
    torch.testing.assert_close(shortcut(x), expected)
