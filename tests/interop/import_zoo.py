#!/usr/bin/env python3
"""import_zoo.py -- networks of ONNX's own model zoo: the package onnx carries
them without weights, which are drawn here.
SPDX-License-Identifier: MIT
"""
import os

import imported
import numpy as np
import onnx
from onnx import numpy_helper
from tap import ok

rng = np.random.default_rng(1)
folder = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/light")


def draw(shape):
    """A weight that keeps the size of numbers; or scales, variances, shifts."""
    if len(shape) < 2:
        return rng.uniform(.5, 1.5, shape)
    return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)


def with_weights(m):
    """What ConstantOfShape makes becomes a tensor, and the softmax at the end,
    which adze leaves out, goes."""
    sizes = {t.name: numpy_helper.to_array(t) for t in m.graph.initializer}
    nodes = [n for n in m.graph.node if n.op_type != "ConstantOfShape"]
    made = {n.output[0]: sizes[n.input[0]] for n in m.graph.node if n.op_type == "ConstantOfShape"}
    if nodes[-1].op_type == "Softmax":
        m.graph.output[0].name = nodes.pop().input[0]
    del m.graph.node[:]
    m.graph.node.extend(nodes)
    m.graph.initializer.extend(numpy_helper.from_array(draw(s.tolist()).astype(np.float32), name) for name, s in made.items())
    return m


names = sorted(f for f in os.listdir(folder) if f.endswith(".onnx"))
ok(len(names) >= 9, f"{len(names)} networks", *names)
for name in names:
    path = name.removeprefix("light_")
    onnx.save(with_weights(onnx.load(os.path.join(folder, name))), path)
    imported.check(path)
    os.remove(path)
