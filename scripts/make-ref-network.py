#!/usr/bin/env python3
"""make-ref-network.py -- what torchvision's networks answer, for tests/format/zoo.c.
SPDX-License-Identifier: MIT

usage: scripts/make-ref-network.py > tests/ref/network_torch.h
Needs torch and torchvision.  Numbers are a function of a tensor's name and of
their place in it, which the test knows too."""
import torch
import torchvision
from torchvision.models import VisionTransformer

M = 2**64 - 1
BATCH = 2


def fnv(text):
    h = 0xcbf29ce484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001b3 & M
    return h


def number(x):
    """A multiple of 2^-23 in [-1, 1): splitmix64."""
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & M
    x = (x ^ x >> 27) * 0x94d049bb133111eb & M
    return ((x ^ x >> 31) >> 40) / 2**23 - 1


def fill(name, shape):
    count = torch.Size(shape).numel()
    v = [number(fnv(name) + i * 0x9e3779b97f4a7c15 & M) / 4 for i in range(count)]
    norm = len(shape) == 1 and name.endswith("weight")
    return torch.tensor(v, dtype=torch.float64).reshape(shape) + norm


def answers(net, size):
    net = net.double().eval()
    net.load_state_dict({k: fill(k, v.shape) for k, v in net.state_dict().items()})
    x = fill("image", (BATCH, 3, size, size)) * 4
    with torch.no_grad():
        return net(x).flatten().tolist()


rows = [("vit-t-16", "size=32 patch=8 dim=48 heads=3 depth=2 classes=10",
         answers(VisionTransformer(32, 8, 2, 3, 48, 192, num_classes=10), 32))]
print(f"""/* network_torch.h -- logits of networks by torchvision {torchvision.__version__.split("+")[0]}.
 * SPDX-License-Identifier: MIT
 *
 * Made by scripts/make-ref-network.py; computed in double.  */
#ifndef ADZE_TESTS_REF_NETWORK_TORCH_H
#define ADZE_TESTS_REF_NETWORK_TORCH_H

static const struct network_ref {{
    const char *name, *opts;
    int count;
    float logits[64];
}} network_ref[] = {{
    /* clang-format off */""")
for name, opts, v in rows:
    print(f'    {{"{name}", "{opts}", {len(v)}, {{')
    for i in range(0, len(v), 5):
        print("        " + " ".join("%.9gf," % f for f in v[i:i + 5]))
    print("    }},")
print("    /* clang-format on */\n};\n\n#endif")
