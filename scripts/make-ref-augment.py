#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-ref-augment.py -- write tests/data/ref_augment.h.

Draws the same random numbers as lib/base/rng.c, chooses parts, factors and
angles as torchvision does, lets torchvision change the noise picture, and
stores the CRC-32 of the pixels.  Needs Pillow, numpy, torch, torchvision.
"""
import math
import sys
import zlib

import numpy as np
import PIL
import torchvision
import torchvision.transforms.functional as TF
from PIL import Image
from torchvision.transforms import InterpolationMode as IM

M32 = 0xFFFFFFFF


def philox(c, k):
    c, k = list(c), list(k)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & M32, p0 >> 32 ^ c[3] ^ k[1], p0 & M32]
        k = [k[0] + 0x9E3779B9 & M32, k[1] + 0xBB67AE85 & M32]
    return c


def block(key, a, b):
    return philox((a & M32, a >> 32, b & M32, b >> 32), key)


class Rng:
    def __init__(self, w):
        self.key, self.stream = w[:2], w[2] | w[3] << 32

    @classmethod
    def at(cls, seed, use, a, b):
        w = block((seed & M32, seed >> 32), use, 0)
        v = block(w[:2], a, b)
        return cls([v[0], v[1], v[2] ^ w[2], v[3] ^ w[3]])

    def sub(self, c):
        return Rng(block(self.key, c, self.stream ^ (1 << 64) - 1))

    def u32(self, i):
        return block(self.key, i // 4, self.stream)[i % 4]

    def uniform(self, i):
        return (self.u32(i) >> 8) * 2.0**-24

    def between(self, i, low, high):
        return low + (high - low) * self.uniform(i)

    def below(self, i, n):
        w = block(self.key, i, self.stream)
        hi, lo = w[0] << 32 | w[1], w[2] << 32 | w[3]
        return hi * n + (lo * n >> 64) >> 64

    def permute4(self, i):
        """rng_permute(r, i, 4): one bit to each side."""
        def bits(rnd, x):
            return block(self.key, (rnd | 0x80000000) << 32 | x, self.stream)[0]
        lo, hi = i & 1, i >> 1
        for rnd in range(0, 10, 2):
            lo ^= bits(rnd, hi) & 1
            hi ^= bits(rnd + 1, lo) & 1
        return hi << 1 | lo


def noise(w, h):
    i = np.arange(w * h * 3, dtype=np.uint32)
    return Image.fromarray((i * np.uint32(2654435761) >> np.uint32(24)).astype(
        np.uint8).reshape(h, w, 3))


def offset(r, i, have, pad, want):
    low, high = sorted((-pad, have + pad - want))
    return low + r.below(i, high - low + 1)


def pad_crop(im, r, h, w, pad=4, mode="constant"):
    x, y = offset(r, 0, im.width, pad, w), offset(r, 1, im.height, pad, h)
    return TF.crop(TF.pad(im, pad, padding_mode=mode), y + pad, x + pad, h, w)


def resized_crop(im, r, h, w, kernel=IM.BILINEAR, smallest=0.08):
    W, H = im.size
    for t in range(10):
        area = W * H * r.between(4 * t, smallest, 1)
        ratio = math.exp(r.between(4 * t + 1, math.log(3 / 4), math.log(4 / 3)))
        cw, ch = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < cw <= W and 0 < ch <= H:
            x, y = r.below(4 * t + 2, W - cw + 1), r.below(4 * t + 3, H - ch + 1)
            return TF.resized_crop(im, y, x, ch, cw, (h, w), kernel)
    cw, ch = W, H
    if W / H < 3 / 4:
        ch = round(W / (3 / 4))
    elif W / H > 4 / 3:
        cw = round(H * (4 / 3))
    return TF.resized_crop(im, (H - ch) // 2, (W - cw) // 2, ch, cw, (h, w),
                           kernel)


def color_jitter(im, r, h, w):
    change = [TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation,
              TF.adjust_hue]
    order = [r.sub(0).permute4(i) for i in range(4)]
    assert sorted(order) == [0, 1, 2, 3]
    for k in order:
        low, high = (-.2, .2) if k == 3 else (1 - .4, 1 + .4)
        im = change[k](im, r.between(k + 1, low, high))
    return im


def rotate(im, r, h, w, kernel=IM.NEAREST):
    return TF.rotate(im, r.between(1, -30, 30), kernel)


def erase(im, x, y, w, h):
    a = np.array(im)
    a[max(y, 0):max(y + h, 0), max(x, 0):max(x + w, 0)] = 0
    return Image.fromarray(a)


def random_erasing(im, r, h, w):
    W, H = im.size
    for t in range(1, 11):
        area = W * H * r.between(4 * t, 0.02, 1 / 3)
        ratio = math.exp(r.between(4 * t + 1, math.log(.3), math.log(10 / 3)))
        eh, ew = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if ew and eh and ew < W and eh < H:
            return erase(im, r.below(4 * t + 2, W - ew + 1),
                         r.below(4 * t + 3, H - eh + 1), ew, eh)
    return im


def cutout(im, r, h, w):
    return erase(im, r.below(1, im.width) - 3, r.below(2, im.height) - 3, 6, 6)


CASES = [  # policy, size (h, w), what torchvision does
    ("pad_crop", (9, 11), pad_crop),
    ("pad_crop mode=edge", (9, 11), lambda *a: pad_crop(*a, mode="edge")),
    ("pad_crop mode=reflect", (7, 13), lambda *a: pad_crop(*a, mode="reflect")),
    ("random_crop", (5, 4), lambda *a: pad_crop(*a, pad=0)),
    ("random_resized_crop", (6, 8), resized_crop),
    ("random_resized_crop interpolation=bicubic", (10, 9),
     lambda *a: resized_crop(*a, kernel=IM.BICUBIC)),
    ("random_resized_crop min_scale=1", (6, 7),
     lambda *a: resized_crop(*a, smallest=1)),
    ("resize short=5", (1, 1), lambda im, r, h, w: TF.resize(im, 5)),
    ("resize", (5, 6), lambda im, r, h, w: TF.resize(im, (h, w))),
    ("center_crop", (4, 5), lambda im, r, h, w: TF.center_crop(im, (h, w))),
    ("center_crop", (8, 20), lambda im, r, h, w: TF.center_crop(im, (h, w))),
    ("flip p=1", (1, 1), lambda im, r, h, w: TF.hflip(im)),
    ("flip_y p=1", (1, 1), lambda im, r, h, w: TF.vflip(im)),
    ("grey p=1", (1, 1), lambda im, r, h, w: TF.rgb_to_grayscale(im, 3)),
    ("color_jitter hue=0.2", (1, 1), color_jitter),
    ("rotate degrees=30", (1, 1), rotate),
    ("rotate degrees=30 interpolation=bilinear", (1, 1),
     lambda *a: rotate(*a, kernel=IM.BILINEAR)),
    ("random_erasing p=1", (1, 1), random_erasing),
    ("cutout length=6", (1, 1), cutout),
]


def main():
    print("""/* ref_augment.h -- what torchvision makes of the noise picture.
 * SPDX-License-Identifier: MIT
 *
 * Written by scripts/make-ref-augment.py with Pillow %s, torchvision %s.  */
#ifndef ADZE_TESTS_REF_AUGMENT_H
#define ADZE_TESTS_REF_AUGMENT_H

#include <stdint.h>

/* clang-format off */
static const struct {
    const char *policy;
    int size[2], w, h; /* the network's; the picture's */
    int sample;
    int to_w, to_h;
    uint32_t crc;
} ref_augment[] = {""" % (PIL.__version__, torchvision.__version__.split("+")[0]))
    for policy, (h, w), f in CASES:
        for sample, (pw, ph) in enumerate([(13, 9), (13, 9), (9, 14), (40, 7),
                                              (5, 24)]):
            if "reflect" in policy and sample >= 3:
                continue  # pads more than torchvision can reflect
            r = Rng.at(5, 3, 2, sample).sub(0)
            im = f(noise(pw, ph), r, h, w)
            print('    {"%s", {%d, %d}, %d, %d, %d, %d, %d, 0x%08x},' % (
                policy, h, w, pw, ph, sample, im.width, im.height,
                zlib.crc32(np.asarray(im).tobytes())))
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    sys.exit(main())
