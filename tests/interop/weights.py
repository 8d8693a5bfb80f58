#!/usr/bin/env python3
"""weights.py -- the package safetensors loads our files, numpy our arrays.
SPDX-License-Identifier: MIT
"""
import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from tap import adze, ok

adze("adze-init resnet20 -O m.st && adze-export --untrained -m m.st -O w.safetensors")
with safe_open("m.st", "np") as f:
    meta, names = f.metadata(), set(f.keys())
    model = {name: f.get_tensor(name) for name in names}
plain = load_file("w.safetensors")
with safe_open("w.safetensors", "np") as f:
    ok(f.metadata() == {"format": "pt"}, "plain weights say that they are PyTorch's")
ok(set(plain) == names and "layer1.0.conv1.weight" in names, "a model has the tensors of its plain weights", sorted(names))
ok(all(np.array_equal(plain[n], model[n]) for n in names), "and their numbers")
ok(all(t.dtype == np.float32 for t in plain.values()), "all are float32")
ok(plain["conv1.weight"].shape == (16, 3, 3, 3), "a filter is [out,in,height,width]")
ok(sum(t.size for n, t in plain.items() if "running" not in n) == 269722, "the parameters are as many as in the paper")
ok(meta["adze.kind"] == "model" and json.loads(meta["adze.history"])[0]["command"] == "init", "the metadata is text")
ok(set(json.loads(meta["adze.hashes"])) == names, "each tensor has a hash")

# and back: their files are ours
save_file({n: t + np.float32(2**-10) for n, t in plain.items()}, "theirs.safetensors")
adze("adze-init resnet20 -q --from theirs.safetensors -O back.st")
back = load_file("back.st")
ok(all(np.array_equal(back[n], plain[n] + np.float32(2**-10)) for n in names), "adze-init takes a file that the package wrote")

adze("adze-synth -q -n 3 -O d.tar && adze-evaluate -q -m back.st -d d.tar --logits y.npy")
y = np.load("y.npy")
ok(y.shape == (30, 10) and y.dtype == np.float32 and y.flags.c_contiguous, "numpy loads an array", y.shape, y.dtype)
np.save("z.npy", y)
ok(open("y.npy", "rb").read() == open("z.npy", "rb").read(), "and writes the same bytes")
np.save("z.npy", y.astype(np.float64))
adze("adze-compare y.npy z.npy --tolerance 0")
ok(True, "adze reads numpy's array")

adze("adze-export -q --untrained -m m.st -O w.npz")
arrays = np.load("w.npz")
ok(set(arrays.files) == names and all(np.array_equal(arrays[n], model[n]) for n in names), "numpy loads an archive")
np.savez("theirs.npz", **{n: arrays[n] for n in arrays.files})
adze("adze-init resnet20 -q --from theirs.npz -O back.st && adze-compare --tolerance 0 m.st back.st")
ok(True, "adze reads numpy's archive")
