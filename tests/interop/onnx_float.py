#!/usr/bin/env python3
"""onnx_float.py -- every network in float: ONNX Runtime computes what adze does.
SPDX-License-Identifier: MIT
"""
import os

import run_onnx
from tap import adze, ok

LIMIT = 1e-4  # of the largest output
FP16 = 0.1  # there, each of some 100 steps rounds by 2^-11 twice


def check(model, name):
    theirs, ours = run_onnx.export(model)
    share = run_onnx.apart(theirs, ours)
    ok(share <= LIMIT, f"{name} agrees on 16 inputs, to {share:.2g} of the largest")
    os.remove(f"{model}.onnx")


for network, options in run_onnx.networks():
    run_onnx.new_model(network, "a.st", options)
    check("a.st", network)

for network, options in ("resnet20", "-o classes=10"), ("vit-t-16", "-o size=64 -o classes=10"), ("mobilenet-v2", "-o size=64"):
    run_onnx.new_model(network, "a.st", options)
    for form in "--dtype=fp16", "--with-preprocess", "--with-preprocess --dtype=fp16 --opset=17":
        theirs, ours = run_onnx.export("a.st", form)
        share = run_onnx.apart(theirs, ours)
        ok(share <= (FP16 if "fp16" in form else LIMIT), f"{network} {form} agrees, to {share:.2g} of the largest")

run_onnx.new_model("repvgg-a0", "a.st", "-o size=64 -o classes=10")
adze("adze-reparam -q -m a.st -O b.st && adze-fuse-bn -q -m b.st -O c.st")
check("c.st", "repvgg-a0 after reparam and fuse-bn")
for opset in 7, 9, 13, 17, 21:
    run_onnx.new_model("mobilenet-v2", "a.st", "-o size=64")
    theirs, ours = run_onnx.export("a.st", f"--opset {opset}")
    ok(run_onnx.apart(theirs, ours) <= LIMIT, f"mobilenet-v2 agrees in operator set {opset}")
