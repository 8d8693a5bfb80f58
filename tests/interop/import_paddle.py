#!/usr/bin/env python3
"""import_paddle.py -- networks of PaddlePaddle, written by paddle2onnx: adze
imports them and computes what ONNX Runtime does.
SPDX-License-Identifier: MIT

PaddlePaddle is large, so the files are made by the Python that
ADZE_PADDLE_PYTHON names (with paddlepaddle and paddle2onnx); without, this is
skipped.
"""
import os

import imported

imported.made(os.environ.get("ADZE_PADDLE_PYTHON"), "paddle_onnx.py", "paddle, paddle2onnx", 15)
