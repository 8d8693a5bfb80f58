"""resnet20.py -- the ResNet of He et al. (2016), section 4.2, for CIFAR, which
torchvision does not have; its tensors bear the names of adze's.
SPDX-License-Identifier: MIT
"""
import torch.nn.functional as F
from torch import nn


def conv3(i, o, stride):
    return nn.Conv2d(i, o, 3, stride, 1, bias=False)


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3(i, o, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv3(o, o, 1), nn.BatchNorm2d(o)
        self.stride, self.more = stride, o - i

    def shortcut(self, x):
        if self.stride == 1:
            return x
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv3(3, 16, 1), nn.BatchNorm2d(16)
        for n, (i, o) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            blocks = [Block(i if k == 0 else o, o, 2 if k == 0 and n > 1 else 1) for k in range(3)]
            setattr(self, f"layer{n}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def resnet20():
    return ResNet20()
