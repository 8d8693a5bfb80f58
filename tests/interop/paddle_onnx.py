"""paddle_onnx.py -- networks of PaddlePaddle as paddle2onnx writes them, with
random weights.
SPDX-License-Identifier: MIT

usage: paddle_onnx.py FOLDER [NETWORK...]

Run by import_paddle.py with a Python that has paddlepaddle and paddle2onnx.
Prints the name of each file when it is whole.
"""
import os
import sys
import warnings

import numpy as np
import paddle
import paddle.vision.models as pv

warnings.filterwarnings("ignore")

NETWORKS = {
    "alexnet": (lambda: pv.alexnet(num_classes=10), 224),
    "densenet121": (lambda: pv.densenet121(), 64),
    "googlenet": (lambda: pv.googlenet(num_classes=10), 224),
    "inception-v3": (lambda: pv.inception_v3(), 96),
    "lenet": (lambda: pv.LeNet(), 28),
    "mobilenet-v1": (lambda: pv.mobilenet_v1(), 64),
    "mobilenet-v2": (lambda: pv.mobilenet_v2(), 64),
    "mobilenet-v3-small": (lambda: pv.mobilenet_v3_small(), 64),
    "mobilenet-v3-large": (lambda: pv.mobilenet_v3_large(), 64),
    "resnet18": (lambda: pv.resnet18(), 64),
    "resnet50": (lambda: pv.resnet50(), 64),
    "resnext50": (lambda: pv.resnext50_32x4d(), 64),
    "shufflenet-v2": (lambda: pv.shufflenet_v2_x0_5(), 64),
    "shufflenet-v2-swish": (lambda: pv.shufflenet_v2_swish(), 64),
    "squeezenet": (lambda: pv.squeezenet1_1(), 64),
    "vgg11-bn": (lambda: pv.vgg11(batch_norm=True, num_classes=10), 224),
    "wide-resnet50": (lambda: pv.wide_resnet50_2(), 64),
}


class First(paddle.nn.Layer):
    """GoogLeNet also answers from its two auxiliary heads."""

    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        y = self.m(x)
        return y[0] if isinstance(y, (list, tuple)) else y


def random_weights(m):
    """Nothing is zero or one, as in a trained network."""
    rng = np.random.default_rng(1)
    for name, p in m.state_dict().items():
        a = p.numpy()
        if "_mean" in name:
            p.set_value(rng.normal(0, .1, a.shape).astype(np.float32))
        elif "_variance" in name:
            p.set_value(rng.uniform(.8, 1.6, a.shape).astype(np.float32))
        elif a.ndim == 1:
            p.set_value((a + rng.normal(0, .1, a.shape)).astype(np.float32))


def export(m, channels, size, stem):
    spec = [paddle.static.InputSpec([None, channels, size, size], "float32", "input")]
    paddle.onnx.export(m, stem, input_spec=spec, opset_version=13)


folder, names = sys.argv[1], sys.argv[2:] or list(NETWORKS)
said = os.dup(1)
os.dup2(2, 1)  # exporters talk
for name in names:
    make, size = NETWORKS[name]
    paddle.seed(1)
    stem = f"{folder}/{name}-paddle"
    try:
        m = First(make())
        m.eval()
        random_weights(m)
        export(m, 1 if name == "lenet" else 3, size, stem)
        os.write(said, f"{stem}.onnx\n".encode())
    except Exception as e:
        os.write(said, f"! {name}-paddle: {type(e).__name__}: {' '.join(str(e).split())[-200:]}\n".encode())
