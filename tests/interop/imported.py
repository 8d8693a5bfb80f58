"""imported.py -- ONNX files of other programs: adze imports them and computes
what ONNX Runtime does.
SPDX-License-Identifier: MIT
"""
import os
import subprocess

import numpy as np
import run_onnx
from safetensors.numpy import load_file
from tap import adze, ok, skip, top

LIMIT = 1e-4  # of the largest output


def theirs(path, image):
    """What ONNX Runtime makes of pictures [N,C,H,W], which it may want turned
    and in batches of its own: [N,K]."""
    s = run_onnx.session(path)
    x = s.get_inputs()[0]
    if x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    step = x.shape[0] if isinstance(x.shape[0], int) else len(image)
    return np.concatenate([s.run(None, {x.name: image[i:i + step]})[0].reshape(step, -1) for i in range(0, len(image), step)])


def check(path, options=""):
    """The file imported and exported, for its answers to adze's 16 inputs."""
    name = os.path.basename(path).removesuffix(".onnx")
    try:
        adze(f"adze-import -q {options} {path} -O a.st && adze-export -q -m a.st -O b.onnx --proof p.st")
        turns = adze("adze-show --graph -m a.st").count("transpose:")
    except RuntimeError as e:
        return ok(False, name, *str(e).splitlines())
    proof = load_file("p.st")
    share = run_onnx.apart(proof["logits"], theirs(path, proof["image"]))
    os.remove("b.onnx")
    return ok(share <= LIMIT, f"{name}, to {share:.2g} of the largest" + (f"; {turns} transposes" if turns else ""))


def made(python, maker, modules, least):
    """The files that tests/interop/MAKER makes, if PYTHON has the modules."""
    name = maker.removesuffix(".py")
    if not python or not os.access(python, os.X_OK) or subprocess.run(
            [python, "-c", "import " + modules], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
        return skip(name, f"no Python with {modules}")
    good = 0
    run = subprocess.Popen([python, "-B", os.path.join(top, "tests/interop", maker), "."], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in run.stdout:
        line = line.strip()
        if line.startswith("! "):
            skip(line[2:], "its exporter fails")
            continue
        good += bool(check(line))
        os.remove(line)
    return ok(run.wait() == 0 and good >= least, f"{name}: {good} files")
