"""ref_mobile.py -- networks that neither torchvision nor timm has, from their
papers, for make-ref.
SPDX-License-Identifier: MIT

Channels are cut, joined and shuffled here by indices, not by views, so that
the two programs do not share a mistake."""
import torch
from torch import nn


def shuffled(channels, groups):
    """Where channel j of the result comes from."""
    size = channels // groups
    return [j % groups * size + j // groups for j in range(channels)]


class ShuffleNetUnit(nn.Module):
    """Zhang et al., "ShuffleNet", CVPR 2018, figure 2 b (stride 1) and c."""

    def __init__(self, inp, out, groups, stride, first):
        super().__init__()
        mid = out // 4
        rest = out - inp if stride == 2 else out
        self.stride = stride
        self.conv1 = nn.Conv2d(inp, mid, 1, groups=1 if first else groups, bias=False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.order = shuffled(mid, groups)
        self.conv2 = nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False)
        self.bn2 = nn.BatchNorm2d(mid)
        self.conv3 = nn.Conv2d(mid, rest, 1, groups=groups, bias=False)
        self.bn3 = nn.BatchNorm2d(rest)

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()[:, self.order]
        y = self.bn3(self.conv3(self.bn2(self.conv2(y))))
        if self.stride == 1:
            return (x + y).relu()
        return torch.cat([nn.functional.avg_pool2d(x, 3, 2, 1), y], 1).relu()


class ShuffleNet(nn.Module):
    """Table 1 there."""
    WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}

    def __init__(self, groups, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        c = 24
        for stage, (depth, out) in enumerate(zip([4, 8, 4], [self.WIDTHS[groups] * m for m in (1, 2, 4)]), 2):
            units = []
            for i in range(depth):
                units.append(ShuffleNetUnit(c, out, groups, 2 if i == 0 else 1, stage == 2 and i == 0))
                c = out
            self.add_module(f"stage{stage}", nn.Sequential(*units))
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.stage4(self.stage3(self.stage2(x)))
        return self.fc(x.mean((2, 3)))


class ConvBN(nn.Module):
    def __init__(self, inp, out, kernel=1, stride=1, groups=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.act = act

    def forward(self, x):
        x = self.bn(self.conv(x))
        return nn.functional.hardswish(x) if self.act else x


class Squeeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c // 4, 1)
        self.conv2 = nn.Conv2d(c // 4, c, 1)

    def forward(self, x):
        gate = self.conv2(self.conv1(x.mean((2, 3), keepdim=True)).relu())
        return x * ((gate + 3).clamp(0, 6) / 6)


class ESKeep(nn.Module):
    """Yu et al., "PP-PicoDet", 2021, figure 3 a."""

    def __init__(self, c):
        super().__init__()
        half = c // 2
        self.half = half
        self.pw_1_1 = ConvBN(half, half)
        self.dw_1 = ConvBN(half, half, 3, 1, half, act=False)
        self.se = Squeeze(c)
        self.pw_1_2 = ConvBN(c, half)
        self.order = shuffled(c, 2)

    def forward(self, x):
        y = self.pw_1_1(x[:, self.half:])
        y = self.pw_1_2(self.se(torch.cat([y, self.dw_1(y)], 1)))
        return torch.cat([x[:, :self.half], y], 1)[:, self.order]


class ESDown(nn.Module):
    """Figure 3 b there."""

    def __init__(self, inp, out):
        super().__init__()
        half = out // 2
        self.dw_1 = ConvBN(inp, inp, 3, 2, inp, act=False)
        self.pw_1 = ConvBN(inp, half)
        self.pw_2_1 = ConvBN(inp, half)
        self.dw_2 = ConvBN(half, half, 3, 2, half, act=False)
        self.se = Squeeze(half)
        self.pw_2_2 = ConvBN(half, half)
        self.concat_dw = ConvBN(out, out, 3, 1, out)
        self.concat_pw = ConvBN(out, out)

    def forward(self, x):
        right = self.pw_2_2(self.se(self.dw_2(self.pw_2_1(x))))
        return self.concat_pw(self.concat_dw(torch.cat([self.pw_1(self.dw_1(x)), right], 1)))


class ESNet(nn.Module):
    def __init__(self, widths, classes=1000):
        super().__init__()
        self.conv1 = ConvBN(3, 24, 3, 2)
        blocks, c = [], 24
        for depth, out in zip([3, 7, 3], widths):
            blocks += [ESDown(c, out)] + [ESKeep(out) for _ in range(depth - 1)]
            c = out
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = ConvBN(c, 1024)
        self.last_conv = nn.Conv2d(1024, 1280, 1, bias=False)
        self.fc = nn.Linear(1280, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x), 3, 2, 1)
        x = self.conv2(self.blocks(x)).mean((2, 3), keepdim=True)
        return self.fc(nn.functional.hardswish(self.last_conv(x)).flatten(1))
