#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-ref-tensor.py -- print the file of tests/tensor/safetensors.c that the
reference wrote.

usage: make-ref-tensor.py

Needs numpy and safetensors.  Made with numpy 2.4.6, safetensors 0.8.0."""
import numpy as np
import safetensors.numpy


def c_text(data):
    """DATA as lines of a C string."""
    line, lines = "", []
    for byte in data:
        char = chr(byte)
        plain = 32 <= byte < 127 and char not in '"\\'
        line += char if plain else "\\" + char if byte in b'"\\' else "\\%03o" % byte
        if len(line) > 64:
            lines.append(line)
            line = ""
    return "\n".join('        "%s"' % x for x in lines + [line])


print(c_text(safetensors.numpy.save(
    {"w": np.array([[1.5, -2]], np.float32),
     "i": np.array([-1], np.int64),
     "b": np.array([True, False]),
     "h": np.array([0.5], np.float16),
     "s": np.array(3, np.uint8)},
    metadata={"who": "caf\u00e9"})))
