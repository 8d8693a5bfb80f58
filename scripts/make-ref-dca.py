#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-ref-dca.py -- print tests/ref/dca_numpy.h: discriminant correlation
analysis by numpy's eigh and svd, the paper's equations in order.

usage: make-ref-dca.py >tests/ref/dca_numpy.h"""
import numpy as np

SIZES, WIDTHS = [5, 1, 4, 6], [6, 3]  # samples of each class; features


def upright(v):
    """Columns of V with the largest number of each positive."""
    return v * np.sign(v[np.abs(v).argmax(0), range(v.shape[1])])


def separate(x, label):
    mean = x.mean(1, keepdims=True)
    phi = np.stack([np.sqrt(n) * (x[:, label == c].mean(1) - mean[:, 0])
                    for c, n in enumerate(SIZES)], 1)
    value, q = np.linalg.eigh(phi.T @ phi)
    keep = [i for i in np.argsort(-value) if value[i] > 1e-10 * value.max()]
    return mean, phi @ upright(q)[:, keep] / value[keep]


def put(name, a):
    a = np.asarray(a, np.float32).ravel()
    text = ", ".join(str(v) for v in a)
    lines, line = [], "   "
    for word in text.split():
        if len(line) + len(word) > 78:
            lines.append(line)
            line = "   "
        line += " " + word
    print(f"static const float {name}[] = {{\n" + "\n".join(lines + [line]) + "};")


rng = np.random.default_rng(7)
label = np.repeat(range(len(SIZES)), SIZES)
x, w, mean = [], [], []
for width in WIDTHS:
    centre = rng.normal(size=(len(SIZES), width))
    x.append((centre[label] + 0.5 * rng.normal(size=(len(label), width)) + 3)
             .astype(np.float32).astype(np.float64).T)
    m, v = separate(x[-1], label)
    mean.append(m)
    w.append(v)
cross = (w[0].T @ (x[0] - mean[0])) @ (w[1].T @ (x[1] - mean[1])).T
u, s, vt = np.linalg.svd(cross, full_matrices=False)
flip = np.sign(u[np.abs(u).argmax(0), range(u.shape[1])])
w = [(w[0] @ (u * flip) / np.sqrt(s)).T, (w[1] @ (vt.T * flip) / np.sqrt(s)).T]
fused = [w[i] @ (x[i] - mean[i]) for i in (0, 1)]

print("/* dca_numpy.h -- printed by scripts/make-ref-dca.py.\n"
      " * SPDX-License-Identifier: MIT\n"
      f" * numpy {np.__version__}  */\n#ifndef ADZE_TESTS_REF_DCA_NUMPY_H\n"
      "#define ADZE_TESTS_REF_DCA_NUMPY_H\n\n#include <stdint.h>\n\n/* clang-format off */")
print("static const int64_t ref_label[] = {" + ", ".join(map(str, label)) + "};")
for i, name in enumerate(["first", "second"]):
    put(f"ref_{name}", x[i].T)
for i, name in enumerate(["first", "second"]):
    put(f"ref_{name}_weight", w[i])
    put(f"ref_{name}_bias", -w[i] @ mean[i])
put("ref_fused", (fused[0] + fused[1]).T)
print("\n#endif")
