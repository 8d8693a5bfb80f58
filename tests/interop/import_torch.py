#!/usr/bin/env python3
"""import_torch.py -- networks of torchvision and timm, written by both of
PyTorch's exporters: adze imports them and computes what ONNX Runtime does.
SPDX-License-Identifier: MIT

PyTorch is large, so its files are made by the Python that `make bench-peers'
has installed, or by that of ADZE_TORCH_PYTHON, if it has timm and onnxscript,
too; without, this is skipped.
"""
import os

import imported
from tap import top

python = os.environ.get("ADZE_TORCH_PYTHON", os.path.join(top, ".build/peers/env/bin/python"))
imported.made(python, "torch_onnx.py", "torch, torchvision, timm, onnxscript", 30)
