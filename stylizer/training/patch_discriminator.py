"""The conditional PatchGAN of pix2pix (Isola et al., arXiv:1611.07004): is this the real next frame of that one?"""

import torch
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """given, following [N, 3, H, W] in 0..1 -> logits [N, 1, H/8 - 2, W/8 - 2], one for each patch of 70x70 pixels.

    filters: of the first layer, 64 in the paper. The norm is per picture, as in the generator.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        widths = [filters, filters * 2, filters * 4, filters * 8]
        layers: list[nn.Module] = [nn.Conv2d(6, filters, 4, 2, 1), nn.LeakyReLU(0.2)]
        for stride, cin, cout in zip((2, 2, 1), widths, widths[1:], strict=False):
            layers += [nn.Conv2d(cin, cout, 4, stride, 1), nn.InstanceNorm2d(cout, affine=True), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.02)

    def forward(self, given: Tensor, following: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat((given, following), dim=1) * 2 - 1)
        return logits
