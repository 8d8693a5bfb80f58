"""keras_onnx.py -- networks of Keras as its own export to ONNX writes them,
with random weights.
SPDX-License-Identifier: MIT

usage: keras_onnx.py FOLDER [NETWORK...]

Run by import_keras.py with a Python that has Keras, TensorFlow and
tf2onnx, or PyTorch and onnxscript (KERAS_BACKEND).  Prints the name of each file when it is whole.
"""
import logging
import os
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import keras.applications as ka
import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

NETWORKS = {
    "mobilenet-v1": (ka.MobileNet, 64),
    "mobilenet-v2": (ka.MobileNetV2, 64),
    "mobilenet-v3-small": (ka.MobileNetV3Small, 64),
    "resnet50": (ka.ResNet50, 64),
    "resnet50-v2": (ka.ResNet50V2, 64),
    "densenet121": (ka.DenseNet121, 64),
    "efficientnet-b0": (ka.EfficientNetB0, 64),
    "efficientnet-v2-b0": (ka.EfficientNetV2B0, 64),
    "xception": (ka.Xception, 96),
    "inception-v3": (ka.InceptionV3, 96),
    "convnext-tiny": (ka.ConvNeXtTiny, 64),
    "nasnet-mobile": (ka.NASNetMobile, 64),
    "vgg16": (ka.VGG16, 32),
}

# What cannot be written: tf2onnx makes inputs of the numbers of a Normalization,
# PyTorch traces no layer normalisation of Keras and has no NASNet there.
NOT = {"tensorflow": {"efficientnet-b0", "efficientnet-v2-b0", "convnext-tiny"}, "torch": {"convnext-tiny", "nasnet-mobile"}}


def random_weights(m):
    """Nothing is zero or one, as in a trained network."""
    rng = np.random.default_rng(1)
    for v in m.weights:
        s = tuple(v.shape)
        if "seed" in v.path or v.dtype != "float32":
            continue
        if "moving_mean" in v.path:
            v.assign(rng.normal(0, .1, s))
        elif "moving_variance" in v.path or v.path.endswith("variance"):
            v.assign(rng.uniform(.8, 1.6, s))
        elif "layer_scale" in v.path:
            v.assign(rng.normal(0, .3, s))
        elif len(s) == 1:
            v.assign(keras.ops.convert_to_numpy(v) + rng.normal(0, .1, s))


kind = keras.backend.backend()
folder, names = sys.argv[1], sys.argv[2:] or [n for n in NETWORKS if n not in NOT.get(kind, ())]
said = os.dup(1)
os.dup2(2, 1)  # exporters talk
for name in names:
    make, size = NETWORKS[name]
    keras.utils.set_random_seed(1)
    path = f"{folder}/{name}-keras-{kind}.onnx"
    try:
        m = make(weights=None, input_shape=(size, size, 3), classes=100, classifier_activation=None)
        random_weights(m)
        m(np.zeros((1, size, size, 3), np.float32))  # it exports what has been called
        m.export(path, format="onnx", verbose=False)
        os.write(said, f"{path}\n".encode())
    except Exception as e:
        os.write(said, f"! {name}-keras-{kind}: {type(e).__name__}: {' '.join(str(e).split())[-200:]}\n".encode())
    keras.backend.clear_session()
