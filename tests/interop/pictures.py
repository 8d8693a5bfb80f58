#!/usr/bin/env python3
"""pictures.py -- decoded pixels have the CRC of Pillow's.
SPDX-License-Identifier: MIT

Pictures of every kind that Pillow writes, the photographs, and CIFAR-10's
test set.
"""
import glob
import io
import os
import sys
import tarfile
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps
from tap import adze, data, have_data, ok, skip, top

sys.path.insert(0, os.path.join(top, "scripts"))
import adze_stream

warnings.simplefilter("ignore")  # of transparency that convert("RGB") drops


def pillow(file):
    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


def ours(line):
    """The pictures of a stream, one by one."""
    for _, t in adze_stream.frames(io.BytesIO(adze(line, binary=True))):
        yield from t["image"]


def crc(pixels):
    return zlib.crc32(np.ascontiguousarray(pixels).tobytes())


def differ(paths):
    bad = []
    for path in paths:
        pixels = next(ours(f"adze-augment -q --policy='[]' -f frames '{path}'"))
        want = np.array(pillow(path))
        if pixels.shape != want.shape or crc(pixels) != crc(want):
            bad.append(f"{path}: {pixels.shape} {crc(pixels):08x}, Pillow {want.shape} {crc(want):08x}")
    return bad


def scene(w, h):
    """Ramps, a disc and some noise: it compresses, and has edges."""
    y, x = np.mgrid[:h, :w]
    rgb = np.stack([x * 255 // w, y * 255 // h, (x + y) * 255 // (w + h)], -1)
    rgb[(x - w / 3) ** 2 + (y - h / 2) ** 2 < (h / 4) ** 2] = 250, 30, 60
    return Image.fromarray((rgb + np.random.default_rng(w).integers(0, 6, rgb.shape)).clip(0, 255).astype(np.uint8))


def draw():
    """One file of each kind; returns their paths."""
    os.mkdir("kinds")
    for w, h in (64, 48), (61, 37), (17, 16), (1, 1), (3, 200):
        im = scene(w, h)
        size = f"kinds/{w}x{h}"
        for subsampling in 0, 1, 2:
            for progressive in False, True:
                im.save(f"{size}-{subsampling}-{progressive}.jpg", quality=70 + 10 * subsampling,
                        subsampling=subsampling, progressive=progressive)
        im.convert("L").save(f"{size}-grey.jpg", restart_marker_blocks=3)
        im.convert("CMYK").save(f"{size}-cmyk.jpg")
        for mode in "1", "L", "LA", "P", "RGB", "RGBA":
            im.convert(mode).save(f"{size}-{mode}.png", optimize=True)
        im.quantize(7).save(f"{size}-seven.png", transparency=3)
        for mode in "1", "L", "P", "RGB":
            im.convert(mode).save(f"{size}-{mode}.bmp")
        for mode, end in ("L", "pgm"), ("RGB", "ppm"):
            im.convert(mode).save(f"{size}.{end}")
        for turn in range(1, 9):
            exif = Image.Exif()
            exif[0x112] = turn
            im.save(f"{size}-turn{turn}.jpg", exif=exif)
            im.save(f"{size}-turn{turn}.png", exif=exif)
    return sorted(glob.glob("kinds/*"))


files = draw()
bad = differ(files)
ok(not bad, f"{len(files)} files of every kind", *bad)

adze("adze-synth -q -n 30 -O d.tar")
sets = {"the embedded data set": "d.tar"}
if have_data:
    photos = sorted(glob.glob(f"{data}/photos/*"))
    bad = differ(photos)
    ok(len(photos) >= 60 and not bad, f"{len(photos)} photographs", *bad)
    sets["CIFAR-10's test set"] = f"{data}/cifar10-test.tar"
else:
    skip("photographs", "../shared/data is not here")

for name, path in sets.items():
    with tarfile.open(path) as tar:
        want = [crc(np.array(pillow(io.BytesIO(tar.extractfile(m).read())))) for m in tar if m.isfile()]
    got = [crc(p) for p in ours(f"adze-augment -q -d {path} --policy='[]' -b 1000")]
    wrong = sum(a != b for a, b in zip(want, got))
    ok(len(got) == len(want) and not wrong, f"{name}: {len(want)} pictures", f"{len(got)} pictures, {wrong} differ")
