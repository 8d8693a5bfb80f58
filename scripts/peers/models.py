"""models.py -- one network as a file for each engine, all with the weights of
adze-init -s 1.
SPDX-License-Identifier: MIT

usage: models.py NETWORK FOLDER WANT...

In the folder of a network:
  weights.safetensors  as torchvision names them
  train.st             the network as it is trained
  float.st int8.st     without normalisation; in 8 bits
  float.onnx           float.st, and proof.st: inputs with adze's answers
  int8.onnx            by ONNX Runtime's static quantisation, from the pictures
                       that int8.st was calibrated on
  network.ncnn.*       by pnnx
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

# adze's name: torchvision's
TORCH = {
    "resnet50": "resnet50", "resnet18": "resnet18", "mobilenet-v2": "mobilenet_v2", "mobilenet-v3-large": "mobilenet_v3_large",
    "shufflenet-v2-x1.0": "shufflenet_v2_x1_0", "squeezenet1.1": "squeezenet1_1", "vit-b-16": "vit_b_16", "resnet20": "resnet20",
}


def run(line, where):
    """A pipeline; RuntimeError with its last line."""
    p = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if p.returncode:
        said = (p.stderr.strip() or p.stdout.strip() or f"status {p.returncode}").splitlines()
        raise RuntimeError(f"{line.split()[0]}: {said[-1][:200]}")
    return p.stdout


def known():
    return {line.split()[0] for line in run("adze-init --list", ".").splitlines() if not line.startswith("#")}


def prepare(image, size):
    """A picture as a network takes it: [3,size,size]."""
    import numpy as np
    from PIL import Image

    short = size * 256 // 224
    w, h = image.size
    image = image.resize((round(w * short / min(w, h)), round(h * short / min(w, h))), Image.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    x = np.asarray(image.crop((left, top, left + size, top + size)), np.float32)
    x = (x / 255 - np.float32([.485, .456, .406])) / np.float32([.229, .224, .225])
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def pictures(where):
    """Twenty pictures to calibrate on, and a JPEG file of 640x480."""
    import numpy as np
    from PIL import Image

    if not os.path.isdir(f"{where}/pictures"):
        run("adze-synth -q -n 2 --size=256 -f folder -O pictures", where)
    noise = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(noise).resize((640, 480), Image.BICUBIC).save(f"{where}/picture.jpg", quality=90)


def adze_files(name, where):
    run(f"adze-init -q -s 1 {name} | adze-export -q --untrained -f safetensors -O weights.safetensors", where)
    run(f"adze-init -q {name} --from weights.safetensors -O train.st", where)
    run("adze-fuse-bn -q -m train.st -O float.st", where)


def onnx_files(where):
    """Whether float.onnx changed.  Scales per channel need operator set 13."""
    was = read(f"{where}/float.onnx")
    run("adze-export -q -m float.st -f onnx --opset=17 -O float.onnx --proof proof.st", where)
    return was != read(f"{where}/float.onnx")


def read(path):
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        return f.read()


def reduced():
    """Weights of 7 bits?  Without VNNI ONNX Runtime adds two products in 16 bits, and asks for them lest it saturates."""
    with open("/proc/cpuinfo") as f:
        flags = set(f.read().split())
    return "avx2" in flags and not flags & {"avx512_vnni", "avx_vnni"}


def quantize_onnx(where):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from PIL import Image

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.files = iter(sorted(glob.glob(f"{where}/../pictures/*/*.png")))

        def get_next(self):
            path = next(self.files, None)
            return path and {"image": prepare(Image.open(path).convert("RGB"), 224)[None]}

    with tempfile.TemporaryDirectory() as d:
        quant_pre_process(f"{where}/float.onnx", f"{d}/ready.onnx", skip_symbolic_shape=True)
        quantize_static(f"{d}/ready.onnx", f"{where}/int8.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=reduced())


def convert_ncnn(where):
    with tempfile.TemporaryDirectory() as d:
        shutil.copy(f"{where}/float.onnx", f"{d}/network.onnx")
        run("pnnx network.onnx 'inputshape=[1,3,224,224]' fp16=0", d)
        for end in "param", "bin":
            shutil.copy(f"{d}/network.ncnn.{end}", where)


def attempt(reasons, what, work, *args):
    """Reasons for what could not be made are kept; a stale file goes."""
    try:
        return work(*args)
    except Exception as e:
        reasons[what] = f"{what}: {str(e).strip().splitlines()[-1][:200] if str(e).strip() else type(e).__name__}"
        return None


def is_newer(path, other):
    return os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(other)


def remove(where, *names):
    for name in names:
        if os.path.exists(f"{where}/{name}"):
            os.remove(f"{where}/{name}")


def make(name, root, want):
    """Make the files of a network that are in WANT (float, int8, ncnn): adze's
    anew, the others where the network changed.  Returns {what: reason} of those
    that could not be made; a RuntimeError is adze's own."""
    where, reasons = f"{root}/{name}", {}
    os.makedirs(where, exist_ok=True)
    pictures(root)
    adze_files(name, where)
    if "float" not in want:
        return reasons
    if onnx_files(where):
        remove(where, "int8.onnx", "network.ncnn.bin", "network.ncnn.param")
    if "int8" in want:
        run("adze-quantize -q -m float.st -d ../pictures -O int8.st" + " --reduce-range" * reduced(), where)
        if not is_newer(f"{where}/int8.onnx", __file__):
            attempt(reasons, "int8.onnx", quantize_onnx, where)
    if "ncnn" in want and not os.path.exists(f"{where}/network.ncnn.bin"):
        attempt(reasons, "ncnn", convert_ncnn, where)
    return reasons


def make_apart(name, root, want):
    """make() in a process of its own: what it loads would count as memory of
    each process that is measured, which begins as a copy of this one."""
    p = subprocess.run([sys.executable, "-B", __file__, name, root, *want], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr.strip().splitlines() or [f"status {p.returncode}"])[-1])
    return json.loads(p.stdout.splitlines()[-1])


if __name__ == "__main__":
    try:
        print(json.dumps(make(sys.argv[1], sys.argv[2], sys.argv[3:])))
    except RuntimeError as e:
        sys.exit(str(e))
