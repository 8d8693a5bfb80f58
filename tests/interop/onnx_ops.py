#!/usr/bin/env python3
"""onnx_ops.py -- each op, and random graphs: ONNX Runtime computes what the
references do.  The files are those of tests/format/onnx.c.
SPDX-License-Identifier: MIT
"""
import glob
import os
import subprocess

import numpy as np
import run_onnx
from tap import ok, top, work

run = subprocess.run([os.path.join(top, os.environ["O"], "tests/format/onnx")], cwd=top, capture_output=True,
                     env=os.environ | {"ADZE_ONNX_DIR": work})
files = sorted(glob.glob("*.onnx"))
ok(run.returncode == 0 and len(files) > 100, f"{len(files)} files", run.stderr.decode()[-2000:])


def same(y, want):
    """Near where numbers are; elsewhere (log of a negative one) the same NaN or infinity."""
    if y.shape != want.shape:
        return False
    some = np.isfinite(want)
    return (np.array_equal(y[~some], want[~some], equal_nan=True) and some.any()
            and np.abs(y[some] - want[some]).max() <= 1e-4 * np.abs(want[some]).max())


ops = {}
for f in files:
    stem = f.removesuffix(".onnx")
    s = run_onnx.session(f, as_written=stem.startswith("int8"))
    feed = {i.name: np.load(f"{stem}.in.{i.name}.npy") for i in s.get_inputs()}
    for out, y in zip(s.get_outputs(), s.run(None, feed)):
        want = np.load(f"{stem}.out.{out.name}.npy")
        ops.setdefault(stem.split("-")[0], []).append("" if same(y, want) else f"{f}: {out.name}")
for op, results in sorted(ops.items()):
    ok(not any(results), f"{op}, {len(results)} results", *filter(None, results))
