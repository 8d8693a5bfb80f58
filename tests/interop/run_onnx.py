"""run_onnx.py -- exported files in ONNX Runtime.
SPDX-License-Identifier: MIT
"""
import json
import os

import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from tap import adze

onnxruntime.set_default_logger_severity(3)

# Statistics that a trained network could have: those of a new one are 0 and 1.
# With a variance below 1, numbers grow from block to block until the gates of
# an EfficientNetV2 are open or shut by a rounding.
RULES = """model:
  init: {"*running_mean": normal 0.2, "*running_var": constant 4}
"""


SMALL = {"alexnet": "-o size=96", "inception-v3": "-o size=96 -o aux=no"}


def networks():
    """Each network, and options: a small picture shows as much as a large one."""
    for line in adze("adze-init --list").splitlines():
        name, _, shape = line.lstrip("# ").split()
        if not line.startswith("#"):
            large = int(shape.strip("[]").split(",")[-1]) > 64
            yield name, SMALL.get(name, "-o size=64") if large else ""


def new_model(network, path, options=""):
    """A network of random weights, and of random statistics where it has any."""
    with open("rules.yaml", "w") as f:
        f.write(RULES)
    try:
        adze(f"adze-init -q {network} {options} -c rules.yaml -O {path}")
    except RuntimeError as e:
        if "running_" not in str(e):
            raise
        adze(f"adze-init -q {network} {options} -O {path}")


def session(path, as_written=False):
    """As users run it; or operator by operator, for the runtime's fused 8-bit
    kernels round otherwise than the file says.  Without VNNI its sums of two
    products saturate at 16 bits, unless it is asked to be precise."""
    o = onnxruntime.SessionOptions()
    o.add_session_config_entry("session.x64quantprecision", "1")
    if as_written:
        o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    o.intra_op_num_threads = min(2, len(os.sched_getaffinity(0)))
    return onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def export(model, options="", as_written=False):
    """The model in ONNX Runtime and in adze on adze's 16 inputs: (theirs, ours)."""
    adze(f"adze-export -q --untrained -m {model} {options} -O {model}.onnx --proof {model}.proof")
    proof = load_file(f"{model}.proof")
    image = "image_u8" if "image_u8" in proof else "image"
    assert proof[image].shape[0] == 16
    return session(f"{model}.onnx", as_written).run(["logits"], {image: proof[image]})[0], proof["logits"]


def apart(a, b):
    """The largest difference as a share of the largest element of b."""
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(b).max())


def preprocess(s, pixels):
    """RGB u8 [N,H,W,3], of the model's size, as the session's metadata wants it."""
    p = json.loads(s.get_modelmeta().custom_metadata_map["adze.preprocess"])
    assert list(pixels.shape[1:3]) == p["size"] and p["channels"] == 3 and p["order"] == "rgb", p
    x = (pixels.astype(np.float32) / 255 - np.float32(p["mean"])) / np.float32(p["std"])
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
