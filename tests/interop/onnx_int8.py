#!/usr/bin/env python3
"""onnx_int8.py -- networks in 8 bits: ONNX Runtime computes what adze does.
SPDX-License-Identifier: MIT

Rounding to 8 bits makes large differences of small ones: a sum that comes out
1e-6 apart lands on another step now and then, and some layers later the two
sides differ as much as each does from the float network.  So trained networks
are compared by their answers.  Those of random weights get scales that are
powers of two: then every product and sum of the runtime's float arithmetic is
exact, and a difference would be one of meaning.  Not so behind exponentials
and roots: in transformers numbers land on another step now and then.
"""
import io
import json
import os
import tarfile

import numpy as np
import run_onnx
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file
from tap import adze, data, have_data, ok, skip, top

# One of each family; make test-zoo asks all what they learned.
NETWORKS = """lenet5 resnet18 resnet50 resnet50-vd resnet20 mobilenet-v1-x0.25 mobilenet-v2 mobilenet-v3-small
    mobilenet-v3-large shufflenet-v1-g3 shufflenet-v2-x0.5 shufflenet-v2-x1.0 squeezenet1.0 squeezenet1.1 repvgg-a0
    vgg11-bn densenet121 googlenet resnext50-32x4d wrn-16-4 mnasnet0.5 regnet-x-400mf ghostnet-x0.5 pp-lcnet-x0.5
    efficientnet-b0 vit-b-32 vit-t-16""".split()
STEPS = {"vit": 32}  # of 255 that the outputs span, else 2
AGREE = 0.99


def rewrite(path, change):
    """Apply CHANGE(name, array) to each tensor of the file; its hashes go."""
    with safe_open(path, "np") as f:
        meta = {k: v for k, v in f.metadata().items() if not k.startswith("adze.hash")}
        tensors = {name: change(name, f.get_tensor(name)) for name in f.keys()}
    save_file(tensors, path, meta)


def power(x):
    return 2.0 ** np.ceil(np.log2(x))


def snap_weight(name, w):
    """Each output's largest weight is 127 times a power of two."""
    if w.ndim < 2 or not name.endswith("weight"):
        return w
    most = np.abs(w).max(axis=tuple(range(1, w.ndim)), keepdims=True).astype(np.float64)
    return (w / most * 127 * power(most / 127)).astype(np.float32)


def snap_range(name, r):
    """A range of 255 steps of a power of two, around a zero point."""
    step = power((r[1] - r[0]) / 255)
    zero = min(max(round(-r[0] / step), 0), 255)
    return np.array([-zero * step, (255 - zero) * step], r.dtype)


def random_network(network):
    run_onnx.new_model(network, "a.st", "-o classes=10 -o size=32")
    adze("adze-reparam -q <a.st | adze-fuse-bn -q -O b.st")
    rewrite("b.st", snap_weight)
    adze("adze-calibrate -q -m b.st -d d.tar -n 16 -O r.st")
    rewrite("r.st", snap_range)
    adze("adze-quantize -q -m b.st --ranges r.st -O q.st")
    theirs, ours = run_onnx.export("q.st", as_written=True)
    assert ours.std() > 0 and len(np.unique(ours)) > 10
    steps = np.abs(theirs - ours).max() / ((ours.max() - ours.min()) / 255)
    ok(steps <= STEPS.get(network.split("-")[0], 2), f"{network} of random weights agrees on 16 inputs, to {steps:.2g} steps")


def read_tar(path):
    with tarfile.open(path) as tar:
        return np.stack([np.array(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB")) for m in tar if m.isfile()])


def thin(path, to, every):
    """Every so manyth picture of a tar."""
    with tarfile.open(path) as tar, tarfile.open(to, "w") as out:
        for i, m in enumerate(m for m in tar if m.isfile()):
            if i % every == 0:
                out.addfile(m, tar.extractfile(m))


def trained_network(name, model, calibration, test):
    adze(f"adze-reparam -q -m {model} | adze-fuse-bn -q | adze-quantize -q -d {calibration} -n 256 -O q.st")
    top1 = [json.loads(adze(f"adze-evaluate -q --json -m {m} -d {test} --logits {m}.npy"))["top1"] for m in (model, "q.st")]
    adze("adze-export -q -m q.st -O q.onnx")
    ours = np.load("q.st.npy")
    s = run_onnx.session("q.onnx")
    pixels = read_tar(test)
    assert len(pixels) == len(ours) >= 1000
    x = run_onnx.preprocess(s, pixels)
    theirs = np.concatenate([s.run(["logits"], {"image": x[i:i + 100]})[0] for i in range(0, len(x), 100)])
    agree = (theirs.argmax(1) == ours.argmax(1)).mean()
    ok(agree >= AGREE, f"{name}: {agree:.4f} of {len(ours)} answers are the same; right are {top1[1]:.4f}, in float {top1[0]:.4f}")


adze("adze-synth -q -n 10 -O d.tar")
for network in NETWORKS:
    random_network(network)

demo = os.path.join(top, ".build", "demo")
if all(os.path.exists(f"{demo}/{f}") for f in ("model.st", "train.tar", "test.tar")):
    os.symlink(f"{demo}/model.st", "demo.st")
    trained_network("the demo's network", "demo.st", f"{demo}/train.tar", f"{demo}/test.tar")
else:
    adze("adze-synth -q -n 200 -O train.tar && adze-synth -q -n 100 -s 2 -O test.tar")
    adze("adze-init -q resnet20 -o classes=10 -o depths='[1, 1, 1]' -O new.st")
    adze("adze-train -q -m new.st -d train.tar -o global.epochs=10 -o train.batch=50 -O trained.st")
    trained_network("a ResNet trained on the embedded data set", "trained.st", "train.tar", "test.tar")
if have_data:
    thin(f"{data}/cifar10-test.tar", "cifar.tar", 10)
    thin(f"{data}/cifar10-train.tar", "calibrate.tar", 100)
    adze(f"adze-init -q resnet20 -o classes=10 --from {data}/resnet20-cifar10.safetensors -O cifar.st")
    trained_network("ResNet-20 trained on CIFAR-10", "cifar.st", "calibrate.tar", "cifar.tar")
else:
    skip("ResNet-20 trained on CIFAR-10", "../shared/data is not here")
