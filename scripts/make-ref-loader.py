#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-ref-loader.py -- write tests/data/ref_loader.h.

What torchvision's Resize, CenterCrop, ToTensor, Normalize make of the noise
picture: the CRC-32 of the floats.  Needs Pillow, numpy, torch, torchvision.
"""
import zlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import (CenterCrop, Compose, InterpolationMode,
                                    Normalize, Resize, ToTensor)

KERNELS = [InterpolationMode.NEAREST, InterpolationMode.BILINEAR,
           InterpolationMode.BICUBIC, InterpolationMode.BOX]


def noise(w, h):
    i = np.arange(w * h * 3, dtype=np.uint32)
    return Image.fromarray((i * np.uint32(2654435761) >> np.uint32(24)).astype(
        np.uint8).reshape(h, w, 3))


print("""/* ref_loader.h -- how torchvision prepares the noise picture.
 * SPDX-License-Identifier: MIT
 *
 * Written by scripts/make-ref-loader.py with Pillow %s, torchvision %s.  */
#ifndef ADZE_TESTS_REF_LOADER_H
#define ADZE_TESTS_REF_LOADER_H

#include <stdint.h>

/* clang-format off */
static const struct {
    int w, h, size[2], resize_px, kernel; /* resize_px 0: to size exactly */
    uint32_t crc;
} ref_loader[] = {""" % (PIL.__version__, torchvision.__version__.split("+")[0]))
for w, h in (13, 9), (9, 14), (40, 7), (5, 64), (8, 8):
    for size, px in ((6, 5), 7), ((8, 8), 8), ((3, 12), 10), ((7, 6), 0):
        for k in 1, 2:
            t = Compose([Resize(px or size, KERNELS[k]), CenterCrop(size),
                         ToTensor(), Normalize((.485, .456, .406),
                                               (.229, .224, .225))])
            print("    {%d, %d, {%d, %d}, %d, %d, 0x%08x}," % (
                w, h, *size, px, k, zlib.crc32(t(noise(w, h)).numpy().tobytes())))
print("};\n/* clang-format on */\n\n#endif")
