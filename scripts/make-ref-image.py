#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-ref-image.py -- write tests/image/ref_files.h and ref_ops.h.

usage: make-ref-image.py [FOLDER]

Small picture files with the CRC-32 of the pixels that Pillow reads from
them, and the CRC-32 of what Pillow and torchvision make of a noise picture.
Needs Pillow, numpy, torch, torchvision; the versions enter the files.
"""
import io
import random
import struct
import sys
import zlib

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms.functional as TF
from PIL import Image, ImageEnhance, ImageOps

rng = np.random.default_rng(7)
random.seed(7)
VERSIONS = "Pillow %s, torch %s, torchvision %s" % (
    PIL.__version__, torch.__version__.split("+")[0],
    torchvision.__version__.split("+")[0])


def noise(w, h):
    """What picture_noise() in tests/picture.c draws."""
    i = np.arange(w * h * 3, dtype=np.uint32)
    return (i * np.uint32(2654435761) >> np.uint32(24)).astype(
        np.uint8).reshape(h, w, 3)


def smooth(w, h):
    """A picture that compresses: ramps and a disc."""
    y, x = np.mgrid[:h, :w]
    a = np.stack([x * 255 // max(1, w - 1), y * 255 // max(1, h - 1),
                  (x + y) * 255 // max(1, w + h - 2)], -1).astype(np.uint8)
    a[(x - w / 2) ** 2 + (y - h / 2) ** 2 < min(w, h) ** 2 / 9] = 200, 30, 60
    return a


def crc(a):
    return zlib.crc32(np.ascontiguousarray(a).tobytes())


# ---- files ----

files = []


def pillow_rgb(data):
    im = Image.open(io.BytesIO(data))
    if im.mode.startswith("I"):  # 16 bits of grey: the high byte
        a = np.asarray(im).astype(np.uint32) >> 8
        return np.stack([a.astype(np.uint8)] * 3, -1)
    return np.asarray(im.convert("RGB"))


def add(name, data):
    a = pillow_rgb(data)
    files.append((name, a.shape[1], a.shape[0], crc(a),
                  [int(v + .5) for v in a.mean((0, 1))], data))


def jpeg(im, **how):
    o = io.BytesIO()
    im.save(o, "JPEG", **how)
    return o.getvalue()


def segment(data, marker):
    """Start and end of the first segment with this marker."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return at, at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]


def patched(data, at, new):
    return data[:at] + new + data[at + len(new):]


def jpegs():
    im = Image.fromarray(smooth(33, 23))
    square = Image.fromarray(smooth(32, 32))
    small = dict(quality=50, optimize=True)
    add("jpeg baseline 4:2:0", jpeg(im, quality=75))
    add("jpeg progressive", jpeg(im, progressive=True, **small))
    add("jpeg 4:4:4", jpeg(im, subsampling=0, **small))
    add("jpeg 4:2:2", jpeg(im, subsampling=1, **small))
    add("jpeg grey", jpeg(im.convert("L"), **small))
    add("jpeg restarts", jpeg(im, restart_marker_blocks=1, **small))
    add("jpeg rgb", jpeg(im, keep_rgb=True, **small))
    add("jpeg 1x1", jpeg(im.crop((4, 4, 5, 5)), **small))
    cmyk = jpeg(im.convert("CMYK"), **small)
    add("jpeg cmyk", cmyk)
    start, end = segment(cmyk, 0xee)
    add("jpeg ycck", patched(cmyk, end - 1, b"\2"))
    add("jpeg cmyk without adobe", cmyk[:start] + cmyk[end:])
    # as many blocks in other shapes: a scrambled but sound picture
    b = jpeg(square, subsampling=1, **small)
    add("jpeg 4:4:0", patched(b, segment(b, 0xc0)[0] + 11, b"\x12"))
    b = jpeg(square, subsampling=2, **small)
    add("jpeg 4:1:1", patched(b, segment(b, 0xc0)[0] + 11, b"\x41"))


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
         (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data):
    return (struct.pack(">I", len(data)) + name + data +
            struct.pack(">I", zlib.crc32(name + data)))


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(row, up, bpp, kind):
    out = bytearray([kind])
    for i, v in enumerate(row):
        a = row[i - bpp] if i >= bpp else 0
        c = up[i - bpp] if i >= bpp else 0
        p = (0, a, up[i], (a + up[i]) // 2, paeth(a, up[i], c))[kind]
        out.append((v - p) & 255)
    return bytes(out)


def packed(row, depth):
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = "".join(format(v, "0%db" % depth) for v in row.ravel())
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(w, h, kind, depth, interlaced, strategy):
    colours = min(1 << depth, 11)
    s = rng.integers(0, colours if kind == 3 else 1 << depth,
                     (h, w, CHANNELS[kind]))
    bpp, raw = max(1, CHANNELS[kind] * depth // 8), b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part, up = s[y::dy, x::dx], None
        for row in part if part.size else ():
            row = packed(row, depth)
            raw += filtered(row, up or bytes(len(row)), bpp,
                            random.randint(0, 4))
            up = row
    z = zlib.compressobj(9, zlib.DEFLATED, 15, 8, strategy)
    data = z.compress(raw) + z.flush()
    plte = rng.integers(0, 256, colours * 3, dtype=np.uint8).tobytes()
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0,
                                       interlaced)) +
            (chunk(b"PLTE", plte) if kind == 3 else b"") +
            chunk(b"IDAT", data[:7]) + chunk(b"IDAT", data[7:]) +
            chunk(b"IEND", b""))


def pngs():
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16),
              6: (8, 16)}
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY)
    for kind, some in depths.items():
        for depth in some:
            for interlaced in 0, 1:
                add("png type %d, %d bits%s" % (
                    kind, depth, ", interlaced" if interlaced else ""),
                    png(5, 7, kind, depth, interlaced,
                        random.choice(strategies)))
    add("png 1x9, interlaced", png(1, 9, 2, 8, 1, zlib.Z_FIXED))
    add("png 9x1, interlaced", png(9, 1, 2, 8, 1, zlib.Z_FIXED))
    o = io.BytesIO()
    Image.fromarray(smooth(40, 30)).save(o, "PNG")
    add("png by Pillow", o.getvalue())


def bmp(w, h, bits, packing, masks, header, top_down):
    stride = (w * bits + 31) // 32 * 4
    px = rng.integers(0, 256, stride * h, dtype=np.uint8).tobytes()
    if header == 12:
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, w, -h if top_down else h,
                           1, bits, packing, 0, 0, 0, 0, 0)
        head += b"".join(struct.pack("<I", m) for m in masks)
        head += bytes(max(0, header - len(head)))
    at = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", at + len(px), 0, 0, at) + head + px


def bmps():
    for mode in "1", "P", "RGB":
        o = io.BytesIO()
        im = Image.fromarray(smooth(7, 5))
        (im.quantize(5) if mode == "P" else im.convert(mode)).save(o, "BMP")
        data = o.getvalue()
        add("bmp %s by Pillow" % mode, data)
    for case in ((16, 0, (), 40, 0), (16, 3, (0xf800, 0x7e0, 0x1f), 40, 1),
                 (32, 0, (), 40, 0), (24, 0, (), 12, 0),
                 (32, 3, (0xff0000, 0xff00, 0xff), 108, 0),
                 (32, 3, (0xff000000, 0xff0000, 0xff00), 124, 1)):
        add("bmp %d bits, packing %d, header %d" % (case[0], case[1], case[3]),
            bmp(5, 3, *case))
    # run-length coded, 8 bits, six colours: runs, a literal, a step
    runs = bytes([3, 1, 2, 2, 0, 0, 0, 3, 5, 4, 3, 0, 0, 2, 1, 0, 1, 5, 0, 0,
                  5, 3, 0, 0, 3, 1, 0, 0, 0, 1])
    plte = rng.integers(0, 256, 24, dtype=np.uint8).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 5, 4, 1, 8, 1, len(runs), 0, 0, 6,
                       0) + plte
    add("bmp run-length 8", b"BM" + struct.pack(
        "<IHHI", 14 + len(head) + len(runs), 0, 0, 14 + len(head)) + head +
        runs)


def pnms():
    for kind, maxval in ((1, 1), (2, 7), (3, 255), (3, 1000), (4, 1), (5, 200),
                         (6, 255), (6, 100), (6, 65535)):
        w, h, n = 5, 3, 15 * (3 if kind % 3 == 0 else 1)
        v = rng.integers(0, maxval + 1, n)
        head = b"P%d # one\n%d\n# two\n%d\n" % (kind, w, h)
        head += b"" if kind % 3 == 1 else b"%d\n" % maxval
        if kind < 4:
            body = b" ".join(b"%d" % x for x in v) + b"\n"
        elif kind == 4:
            body = packed(v[:w], 1) + packed(v[w:2 * w], 1) + packed(
                v[2 * w:], 1)
        else:
            body = v.astype(">u2" if maxval > 255 else np.uint8).tobytes()
        add("pnm P%d, maxval %d" % (kind, maxval), head + body)


def write_files(f):
    f.write("/* ref_files.h -- picture files and what Pillow reads from them.\n"
            " * SPDX-License-Identifier: MIT\n *\n"
            " * Written by scripts/make-ref-image.py with\n * %s.\n"
            " * 16-bit grey, which Pillow does not convert, is its high "
            "byte.  */\n#ifndef ADZE_TESTS_IMAGE_REF_FILES_H\n"
            "#define ADZE_TESTS_IMAGE_REF_FILES_H\n\n#include <stdint.h>\n\n"
            "static const struct ref_file {\n    const char *name;\n"
            "    int w, h;\n    uint32_t crc; /* of the pixels as RGB */\n"
            "    int mean[3];\n    const char *hex;\n} ref_files[] = {\n"
            "    /* clang-format off */\n" % VERSIONS)
    for name, w, h, c, mean, data in files:
        f.write('    {"%s", %d, %d, 0x%08x, {%d, %d, %d},\n' %
                (name, w, h, c, *mean))
        t = data.hex()
        f.write("\n".join('     "%s"' % t[i:i + 70]
                          for i in range(0, len(t), 70)) + "},\n")
    f.write("    /* clang-format on */\n};\n\n#endif\n")


# ---- operations on noise ----

KERNELS = (Image.NEAREST, Image.BILINEAR, Image.BICUBIC, Image.BOX)


def resizes():
    rows = []
    for w, h, box, ow, oh in (
            (40, 30, None, 20, 15), (40, 30, None, 56, 21),
            (17, 31, None, 32, 32), (9, 40, None, 13, 8),
            (40, 30, None, 40, 11), (40, 30, None, 7, 30),
            (1, 1, None, 5, 4), (64, 48, None, 1, 1),
            (40, 30, (3, 2, 33, 26), 30, 24), (40, 30, (3, 2, 33, 26), 12, 24),
            (40, 30, (1.25, 2.5, 30.125, 29.75), 16, 16),
            (40, 30, (0, .5, 40, 20), 40, 20)):
        for k, kernel in enumerate(KERNELS):
            b = box or (0, 0, w, h)
            im = Image.fromarray(noise(w, h))
            a = np.asarray(im.resize((ow, oh), kernel, box=b))
            rows.append("{%d, %d, {%r, %r, %r, %r}, %d, %d, %d, 0x%08x}" % (
                w, h, b[0], b[1], b[2] - b[0], b[3] - b[1], ow, oh, k, crc(a)))
    return rows


def colours():
    im = Image.fromarray(noise(24, 16))
    dim = Image.fromarray(noise(24, 16) // 3 + 40)
    rows = []

    def row(op, p, out):
        rows.append('{"%s", %r, 0x%08x}' % (op, p, crc(np.asarray(out))))

    for f in 0.0, .4, 1.0, 1.7:
        row("brightness", f, ImageEnhance.Brightness(im).enhance(f))
        row("contrast", f, ImageEnhance.Contrast(im).enhance(f))
        row("saturation", f, ImageEnhance.Color(im).enhance(f))
        row("sharpness", f, ImageEnhance.Sharpness(im).enhance(f))
    for s in -.5, -.1, 0.0, .25:
        row("hue", s, TF.adjust_hue(im, s))
    for b in 1, 4, 8:
        row("posterize", float(b), ImageOps.posterize(im, b))
    for t in 0, 100, 256:
        row("solarize", float(t), ImageOps.solarize(im, t))
    row("grey", 0.0, TF.to_grayscale(im, 3))
    row("invert", 0.0, ImageOps.invert(im))
    row("autocontrast", 0.0, ImageOps.autocontrast(im))
    row("equalize", 0.0, ImageOps.equalize(im))
    row("dim autocontrast", 0.0, ImageOps.autocontrast(dim))
    row("dim equalize", 0.0, ImageOps.equalize(dim))
    return rows


def affines():
    im = Image.fromarray(noise(24, 16))
    rows = []
    for m in ((1, 0, 0, 0, 1, 0), (1, 0, 5, 0, 1, -3), (.5, 0, 1, 0, 2, -3.5),
              (.8660254, .5, -3, -.5, .8660254, 7), (1, .3, -2, 0, 1, 0),
              (-1.5, .25, 30, .125, -1, 12), (1, 1, 40000, 0, 1, 0)):
        for b in 0, 1:
            a = im.transform((20, 18), Image.AFFINE, m,
                             Image.BILINEAR if b else Image.NEAREST,
                             fillcolor=(9, 8, 7))
            rows.append("{{%s}, %d, 0x%08x}" % (
                ", ".join(repr(float(v)) for v in m), b, crc(np.asarray(a))))
    return rows


def pads():
    im = Image.fromarray(noise(6, 5))
    rows = []
    for left, top, right, bottom in ((1, 2, 3, 4), (0, 0, 0, 2), (9, 8, 0, 12)):
        for m, mode in enumerate(("constant", "edge", "reflect")):
            a = TF.pad(im, [left, top, right, bottom], (1, 2, 3), mode)
            rows.append("{%d, %d, %d, %d, %d, 0x%08x}" % (
                left, top, right, bottom, m, crc(np.asarray(a))))
    return rows


def centers():
    rows = []
    for w, h, ow, oh in ((24, 16, 10, 10), (24, 15, 11, 4), (5, 7, 9, 8),
                         (5, 20, 8, 3), (7, 7, 4, 2)):
        a = TF.center_crop(Image.fromarray(noise(w, h)), [oh, ow])
        rows.append("{%d, %d, %d, %d, 0x%08x}" % (w, h, ow, oh,
                                                  crc(np.asarray(a))))
    return rows


def shorts():
    from torchvision.transforms.functional import (
        _compute_resized_output_size as size)
    rows = []
    for w, h, s in ((500, 375, 256), (375, 500, 256), (333, 500, 232), (1, 99, 7),
                    (224, 224, 256), (4001, 17, 224), (640, 427, 236)):
        nh, nw = size((h, w), [s])
        rows.append("{%d, %d, %d, %d, %d}" % (w, h, s, nw, nh))
    return rows


def packs():
    mean, std = [.485, .456, .406], [.229, .224, .225]
    y = TF.normalize(TF.to_tensor(Image.fromarray(noise(8, 4))), mean, std)
    return "0x%08x" % zlib.crc32(y.numpy().tobytes())


TABLES = (
    ("ref_resize", "    int w, h;\n    double box[4]; /* x y w h */\n"
     "    int out_w, out_h, kernel;\n    uint32_t crc;", resizes),
    ("ref_colour", "    const char *op;\n    double factor;\n    uint32_t crc;",
     colours),
    ("ref_affine", "    double m[6];\n    int bilinear;\n    uint32_t crc;",
     affines),
    ("ref_pad", "    int left, top, right, bottom, mode;\n    uint32_t crc;",
     pads),
    ("ref_center", "    int w, h, out_w, out_h;\n    uint32_t crc;", centers),
    ("ref_short", "    int w, h, s, out_w, out_h;", shorts),
)


def write_ops(f):
    f.write("/* ref_ops.h -- what Pillow and torchvision make of "
            "picture_noise().\n * SPDX-License-Identifier: MIT\n *\n"
            " * Written by scripts/make-ref-image.py with\n * %s.  */\n"
            "#ifndef ADZE_TESTS_IMAGE_REF_OPS_H\n"
            "#define ADZE_TESTS_IMAGE_REF_OPS_H\n\n#include <stdint.h>\n\n"
            "/* clang-format off */\n" % VERSIONS)
    for name, fields, rows in TABLES:
        f.write("static const struct %s {\n%s\n} %s[] "
                "__attribute__((unused)) = {\n" % (name, fields, name))
        for row in rows():
            f.write("    %s,\n" % row)
        f.write("};\n\n")
    f.write("#define REF_PACK_CRC %s\n/* clang-format on */\n\n"
            "#endif\n" % packs())


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/image"
    jpegs()
    pngs()
    bmps()
    pnms()
    with open(folder + "/ref_files.h", "w") as f:
        write_files(f)
    with open(folder + "/ref_ops.h", "w") as f:
        write_ops(f)


main()
