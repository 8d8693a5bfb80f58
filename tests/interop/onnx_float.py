#!/usr/bin/env python3
"""onnx_float.py -- every network in float: ONNX Runtime computes what adze does.
SPDX-License-Identifier: MIT
"""
import os

import run_onnx
from tap import adze, ok

LIMIT = 1e-4  # of the largest output


def check(model, name):
    theirs, ours = run_onnx.export(model)
    share = run_onnx.apart(theirs, ours)
    ok(share <= LIMIT, f"{name} agrees on 16 inputs, to {share:.2g} of the largest")
    os.remove(f"{model}.onnx")


for network, options in run_onnx.networks():
    run_onnx.new_model(network, "a.st", options)
    check("a.st", network)

run_onnx.new_model("repvgg-a0", "a.st", "-o size=64 -o classes=10")
adze("adze-reparam -q -m a.st -O b.st && adze-fuse-bn -q -m b.st -O c.st")
check("c.st", "repvgg-a0 after reparam and fuse-bn")
for opset in 13, 17, 20:
    run_onnx.new_model("mobilenet-v2", "a.st", "-o size=64")
    theirs, ours = run_onnx.export("a.st", f"--opset {opset}")
    ok(run_onnx.apart(theirs, ours) <= LIMIT, f"mobilenet-v2 agrees in operator set {opset}")
