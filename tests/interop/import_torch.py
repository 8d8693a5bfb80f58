#!/usr/bin/env python3
"""import_torch.py -- networks of torchvision and timm, written by both of
PyTorch's exporters: adze imports them and computes what ONNX Runtime does.
SPDX-License-Identifier: MIT

PyTorch is large, so its files are made by the Python that `make bench-peers'
has installed, or by that of ADZE_TORCH_PYTHON, if it has timm and onnxscript,
too; without, this is skipped.
"""
import os
import subprocess

import numpy as np
import run_onnx
from safetensors.numpy import load_file
from tap import adze, ok, skip, top

LIMIT = 1e-4  # of the largest output
python = os.environ.get("ADZE_TORCH_PYTHON", os.path.join(top, ".build/peers/env/bin/python"))


def check(path):
    name = os.path.basename(path).removesuffix(".onnx")
    try:
        adze(f"adze-import -q {path} -O a.st && adze-export -q -m a.st -O b.onnx --proof p.st")
    except RuntimeError as e:
        return ok(False, name, *str(e).splitlines())
    proof, s = load_file("p.st"), run_onnx.session(path)
    step = s.get_inputs()[0].shape[0]
    step = step if isinstance(step, int) else 16
    want = np.concatenate([s.run(None, {"input": proof["image"][i:i + step]})[0] for i in range(0, 16, step)])
    share = run_onnx.apart(proof["logits"], want)
    return ok(share <= LIMIT, f"{name}, to {share:.2g} of the largest")


def run():
    good = 0
    maker = subprocess.Popen([python, "-B", os.path.join(top, "tests/interop/torch_onnx.py"), "."], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in maker.stdout:
        line = line.strip()
        if line.startswith("! "):
            skip(line[2:], "its exporter fails")
            continue
        good += bool(check(line))
        os.remove(line)
    ok(maker.wait() == 0 and good >= 15, f"{good} files")


def has_torch():
    return os.access(python, os.X_OK) and not subprocess.run(
        [python, "-c", "import torch, torchvision, timm, onnxscript"], capture_output=True, check=False).returncode


if has_torch():
    run()
else:
    skip("networks of PyTorch", "no Python with torch, torchvision, timm and onnxscript: ADZE_TORCH_PYTHON names one")
