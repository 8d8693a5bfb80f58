#!/usr/bin/env python3
"""import_keras.py -- networks of Keras, written by its own export (tf2onnx
where its backend is TensorFlow, PyTorch's exporter where it is that): adze
imports them and computes what ONNX Runtime does.
SPDX-License-Identifier: MIT

These are large, so the files are made by the Python that ADZE_KERAS_PYTHON
names, with the backend of KERAS_BACKEND; without, this is skipped.
"""
import os

import imported

imported.made(os.environ.get("ADZE_KERAS_PYTHON"), "keras_onnx.py", "keras", 8)
