#!/usr/bin/env python3
"""import_ops.py -- each form of each operator that adze-import reads, made by
hand: adze computes what ONNX Runtime does.
SPDX-License-Identifier: MIT
"""
import numpy as np
import onnx
import run_onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tap import adze, ok

LIMIT = 1e-4  # of the largest output
rng = np.random.default_rng(1)


def w(*shape):
    return (rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def ints(*v):
    return np.array(v, np.int64)


def model(nodes, tensors, opset, shape):
    """nodes: "y = Op(x, w, name=value ...)" as tuples; the last one is the output."""
    made, n = [], 0
    for out, op, ins, *attrs in nodes:
        attrs = dict(attrs[0]) if attrs else {}
        domain = attrs.pop("domain", "")
        made.append(helper.make_node(op, ins.split(), out.split(), name=f"n{n}", domain=domain, **attrs))
        n += 1
    graph = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1][0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(t), k) for k, t in tensors.items()])
    sets = [helper.make_opsetid("", opset)]
    if any(a.domain for a in made):
        sets.append(helper.make_opsetid("com.microsoft", 1))
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def theirs(path, image, batch, last, as_written):
    s = run_onnx.session(path, as_written)
    x = np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if last else image
    step = batch if isinstance(batch, int) else len(x)
    return np.concatenate([s.run(None, {"x": x[i:i + step]})[0].reshape(step, -1) for i in range(0, len(x), step)])


def check(name, nodes, tensors={}, opset=17, shape=("N", 3, 8, 8), limit=LIMIT, as_written=True):
    """The operators, then Flatten."""
    nodes = nodes + [("out", "Flatten", nodes[-1][0].split()[0])]
    onnx.save(model(nodes, tensors, opset, shape), "a.onnx")
    try:
        adze("adze-import -q a.onnx -O a.st && adze-export -q -m a.st -O b.onnx --proof p.st")
    except RuntimeError as e:
        return ok(False, name, *str(e).splitlines())
    proof = load_file("p.st")
    want = theirs("a.onnx", proof["image"], shape[0], shape[1] not in (1, 3), as_written)
    share = run_onnx.apart(proof["logits"], want)
    return ok(share <= limit, f"{name}, to {share:.2g} of the largest")


def refuses(name, word, nodes, tensors={}, opset=17, shape=("N", 3, 8, 8)):
    nodes = nodes + [("out", "Flatten", nodes[-1][0])]
    onnx.save(model(nodes, tensors, opset, shape), "a.onnx")
    try:
        adze("adze-import -q a.onnx -O none.st")
        ok(False, name, "it was read")
    except RuntimeError as e:
        ok("status 3" in str(e) and word in str(e), name, str(e))


# ---- layers ----
conv = {"w": w(4, 3, 3, 3), "b": w(4)}
check("Conv", [("y", "Conv", "x w b", {"pads": [0, 1, 2, 1], "strides": [2, 1]})], conv)
for pad in "SAME_UPPER", "SAME_LOWER", "VALID":
    check(f"Conv, {pad}", [("y", "Conv", "x w", {"auto_pad": pad, "strides": [2, 2]})], {"w": w(4, 3, 3, 2)})
check("Conv, groups and dilation", [("y", "Conv", "x w", {"group": 3, "dilations": [2, 1]})], {"w": w(6, 1, 3, 3)})
check("Conv and Add", [("a", "Conv", "x w"), ("y", "Add", "b a")], {"w": w(4, 3, 3, 3), "b": w(1, 4, 1, 1)})
line = ("l", "Reshape", "x s")
for name, attrs in ("", {}), (", strides", {"strides": [2], "pads": [2, 1]}), (", dilation and groups", {"dilations": [2], "group": 3}):
    check(f"Conv along one axis{name}", [line, ("y", "Conv", "l w b", attrs)], {"s": ints(0, 3, -1), "w": w(6, 1 if "group" in attrs else 3, 3), "b": w(6)})
check("Abs", [("y", "Abs", "x")])
bn = {"s": w(3), "b": w(3), "m": w(3), "v": np.abs(w(3)) + 1}
for opset in 7, 9, 15:
    check(f"BatchNormalization, opset {opset}", [("y", "BatchNormalization", "x s b m v", {"epsilon": 1e-3, "momentum": .9})], bn, opset)
flat = ("f", "Flatten", "x")
check("Gemm", [flat, ("y", "Gemm", "f w b", {"transB": 1})], {"w": w(5, 192), "b": w(5)})
check("Gemm, turned and scaled", [flat, ("y", "Gemm", "f w b", {"alpha": .5, "beta": 2.})], {"w": w(192, 5), "b": w(1, 5)})
check("Gemm, without a bias", [flat, ("y", "Gemm", "f w")], {"w": w(192, 5)})
check("Gemm, a bias of one number, opset 7", [flat, ("y", "Gemm", "f w b")], {"w": w(192, 5), "b": w(1)}, 7)
check("MatMul", [("y", "MatMul", "x w")], {"w": w(8, 5)})
check("MatMul and Add", [("m", "MatMul", "x w"), ("y", "Add", "b m")], {"w": w(8, 5), "b": w(5)})
check("MatMul and Add of more than a bias", [("m", "MatMul", "x w"), ("y", "Add", "m b")], {"w": w(8, 5), "b": w(1, 3, 8, 5)})
check("MatMul of two values", [("t", "Transpose", "x", {"perm": [0, 1, 3, 2]}), ("y", "MatMul", "x t")])
check("MatMul of a constant and a value", [("y", "MatMul", "w x")], {"w": w(5, 8)})
check("LayerNormalization", [("y", "LayerNormalization", "x s b", {"epsilon": 1e-3})], {"s": w(8), "b": w(8)})
check("LayerNormalization, no shift", [("y", "LayerNormalization", "x s")], {"s": w(8)})
norm = [("m", "ReduceMean", "x", {"axes": [-1]}), ("d", "Sub", "x m"), ("q", "Pow", "d two"), ("v", "ReduceMean", "q", {"axes": [-1]}),
        ("e", "Add", "v eps"), ("r", "Sqrt", "e"), ("y", "Div", "d r")]
one = {"two": np.float32(2), "eps": np.float32(1e-5)}
check("layer normalisation of operators", norm, one, 13)
check("layer normalisation of operators, scaled", norm + [("z", "Mul", "y s"), ("o", "Add", "z b")], one | {"s": w(8), "b": w(8)}, 13)
length, least = ("l", "ReduceL2", "x", {"axes": [1]}), {"eps": np.float32(.1)}
check("L2 normalisation of operators", [length, ("y", "Div", "x l")])
check("L2 normalisation of operators, a least length", [length, ("c", "Clip", "l eps"), ("y", "Div", "x c")], least)
check("L2 normalisation of operators, expanded", [length, ("c", "Clip", "l eps"), ("s", "Shape", "x"), ("e", "Expand", "c s"), ("y", "Div", "x e")], least)

# ---- pooling ----
for op in "MaxPool", "AveragePool":
    check(op, [("y", op, "x", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})])
    check(f"{op}, without strides", [("y", op, "x", {"kernel_shape": [2, 3]})])
    check(f"{op}, ceil_mode", [("y", op, "x", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})])
    check(f"{op}, SAME_UPPER", [("y", op, "x", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"})])
    check(f"{op}, opset 7", [("y", op, "x", {"kernel_shape": [2, 2], "strides": [2, 2]})], {}, 7)
check("AveragePool, padding counts", [("y", "AveragePool", "x", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1})])
check("GlobalAveragePool", [("y", "GlobalAveragePool", "x")])
check("GlobalMaxPool", [("y", "GlobalMaxPool", "x")])
for axes in [2, 3], [1], [-1], [1, 2], [3]:
    for keep in 0, 1:
        check(f"ReduceMean over {axes}, keepdims {keep}", [("y", "ReduceMean", "x", {"axes": axes, "keepdims": keep})], {}, 13)
check("ReduceMean, axes as an operand", [("y", "ReduceMean", "x a", {"keepdims": 0})], {"a": ints(2, 3)}, 18)
check("ReduceSum", [("y", "ReduceSum", "x a")], {"a": ints(1)}, 13)
for op in "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceMax", "ReduceMin", "ReduceSumSquare":
    first = [("p", "Abs", "x")] if "Log" in op else []
    for axes, keep in ([2, 3], 0), ([1, -1], 1):
        check(f"{op} over {axes}, keepdims {keep}", first + [("y", op, "p" if first else "x", {"axes": axes, "keepdims": keep})])
    check(f"{op}, axes as an operand", first + [("y", op, ("p" if first else "x") + " a")], {"a": ints(1)}, 18)

# ---- arithmetic and activations ----
for op in "Add", "Sub", "Mul", "Div":
    check(f"{op} of a number", [("y", op, "x c")], {"c": np.float32(1.7)})
    check(f"{op} of one a channel", [("y", op, "x c")], {"c": w(3, 1, 1) + 2})
positive = [("h", "Abs", "x"), ("p", "Add", "h half")]
plus = {"half": np.float32(.5)}
for op in "Add", "Sub", "Mul", "Div":
    check(f"{op} of two values", [*positive, ("y", op, "x p")], plus)
    check(f"{op} of two values, one repeated", [*positive, ("q", "ReduceMean", "p", {"axes": [2, 3]}), ("y", op, "x q")], plus)
check("Div of a number by a value", [*positive, ("y", "Div", "c p")], plus | {"c": np.float32(1.7)})
check("Div of one a channel by a value", [*positive, ("y", "Div", "c p")], plus | {"c": w(3, 1, 1)})
for op in "Sqrt", "Log", "Reciprocal":
    check(op, [*positive, ("y", op, "p")], plus)
for op in "Exp", "Erf":
    check(op, [("y", op, "x")])
for power in -1, -.5, .5, 1.5, 0:
    check(f"Pow {power}", [*positive, ("y", "Pow", "p c")], plus | {"c": np.float32(power)})
check("Pow 4 of what is negative, too", [("y", "Pow", "x c")], {"c": np.float32(4)})
check("Pow -3, the exponent a whole number", [*positive, ("y", "Pow", "p c")], plus | {"c": ints(-3)})
for op in "Min", "Max", "Mean":
    check(f"{op} of two values", [("s", "Sigmoid", "x"), ("y", op, "x s")])
    check(f"{op} of three values, one repeated", [("s", "Sigmoid", "x"), ("q", "ReduceMean", "x", {"axes": [2, 3]}), ("y", op, "s x q")])
    check(f"{op} of one value", [("y", op, "x")])
for op in "Min", "Max":
    check(f"{op} of a number and a value", [("y", op, "c x")], {"c": np.float32(.3)})
    check(f"{op} of a value and one a channel", [("y", op, "x c")], {"c": w(3, 1, 1)})
for alpha in 1., .4, 2.5:
    check(f"Celu {alpha}", [("y", "Celu", "x", {"alpha": alpha})])
for op in "Add", "Sub", "Mul":
    check(f"{op} of a number and a value", [("y", op, "c x")], {"c": np.float32(1.7)})
for power in 2, 3:
    check(f"Pow {power}", [("y", "Pow", "x c")], {"c": np.float32(power)})
check("Neg", [("y", "Neg", "x")])
check("Sum", [("r", "Relu", "x"), ("y", "Sum", "x r x")])
for op, attrs in [("Relu", {}), ("LeakyRelu", {}), ("LeakyRelu", {"alpha": .2}), ("Elu", {}), ("Selu", {}),
                  ("Selu", {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}), ("Sigmoid", {}), ("Tanh", {}),
                  ("HardSigmoid", {}), ("HardSigmoid", {"alpha": .3}), ("Softplus", {}), ("Softsign", {}), ("HardSwish", {})]:
    check(f"{op} {attrs or ''}", [("y", op, "x", attrs)])
check("Gelu", [("y", "Gelu", "x")], {}, 20)
check("Gelu, by tanh", [("y", "Gelu", "x", {"approximate": "tanh"})], {}, 20)
check("Mish", [("y", "Mish", "x")], {}, 18)
check("PRelu", [("y", "PRelu", "x c")], {"c": w(3, 1, 1)})
check("PRelu of one slope", [("y", "PRelu", "x c")], {"c": w(1)})
check("Clip by operands", [("y", "Clip", "x a b")], {"a": np.float32(-.5), "b": np.float32(.7)})
check("Clip from 0 to 6", [("y", "Clip", "x a b")], {"a": np.float32(0), "b": np.float32(6)})
check("Clip from a very low limit", [("y", "Clip", "x e b")], {"e": np.float32(-1e30), "b": np.float32(.7)})
check("Clip by attributes", [("y", "Clip", "x", {"min": -.5, "max": .5})], {}, 7)
check("Min and Max", [("m", "Min", "x a"), ("y", "Max", "m b")], {"a": np.float32(.5), "b": np.float32(-.5)})
for opset, axis in (13, -1), (13, 1), (11, 1), (11, 3), (11, 2):
    check(f"Softmax, axis {axis}, opset {opset}", [("y", "Softmax", "x", {"axis": axis}), ("z", "Mul", "y x")], {}, opset)
half, root, third = np.float32(.5), np.float32(2**.5), {"six": np.float32(6), "three": np.float32(3), "zero": np.float32(0)}
check("GELU of operators", [("a", "Div", "x r"), ("b", "Erf", "a"), ("c", "Add", "b one"), ("d", "Mul", "x c"), ("y", "Mul", "d h")],
      {"r": root, "one": np.float32(1), "h": half})
check("SiLU of operators", [("s", "Sigmoid", "x"), ("y", "Mul", "x s")])
check("hard-swish of operators", [("a", "Add", "x three"), ("c", "Clip", "a zero six"), ("m", "Mul", "x c"), ("y", "Div", "m six")], third)
check("hard-sigmoid of operators", [("a", "Add", "x three"), ("c", "Clip", "a zero six"), ("y", "Div", "c six")], third)

# ---- moving ----
check("Reshape", [("y", "Reshape", "x s"), ("z", "Softmax", "y", {"axis": 1}), ("m", "Mul", "z y")], {"s": ints(0, 24, -1)})
check("Reshape, the batch to be found", [("y", "Reshape", "x s"), ("z", "Softmax", "y", {"axis": -1}), ("m", "Mul", "z y")], {"s": ints(-1, 8, 24)})
check("Reshape to sizes asked for",
      [("a", "Shape", "x"), ("b", "Gather", "a zero"), ("c", "Unsqueeze", "b o"), ("d", "Concat", "c rest", {"axis": 0}), ("y", "Reshape", "x d"),
       ("z", "Softmax", "y"), ("m", "Mul", "z y")], {"zero": np.int64(0), "o": ints(0), "rest": ints(24, 8)})
check("heads in front of the batch and back",
      [("r", "Reshape", "x s"), ("t", "Transpose", "r", {"perm": [2, 0, 1, 3]}), ("g", "Gather", "t i", {"axis": 0}), ("y", "Softmax", "g"),
       ("z", "Mul", "y g")], {"s": ints(0, 3, 2, 32), "i": np.int64(1)})
check("Unsqueeze and Squeeze", [("u", "Unsqueeze", "x a"), ("t", "Transpose", "u", {"perm": [1, 0, 2, 4, 3]}), ("y", "Squeeze", "t b")],
      {"a": ints(0), "b": ints(1)})
check("Unsqueeze, opset 11", [("u", "Unsqueeze", "x", {"axes": [2]}), ("y", "Squeeze", "u", {"axes": [2]}), ("z", "Relu", "y")], {}, 11)
check("Transpose", [("y", "Transpose", "x", {"perm": [0, 3, 1, 2]})])
check("Flatten from the second axis", [("y", "Flatten", "x", {"axis": -3})])
check("Slice", [("y", "Slice", "x a b c")], {"a": ints(1, -6), "b": ints(2**62, -1), "c": ints(1, 3)})
check("Slice by steps", [("y", "Slice", "x a b c d")], {"a": ints(0, 1), "b": ints(8, 8), "c": ints(2, 3), "d": ints(2, 2)})
check("Slice of every second", [("y", "Slice", "x a b c d")], {"a": ints(0, 0), "b": ints(2**62, 2**62), "c": ints(2, 3), "d": ints(2, 2)})
check("Slice, opset 9", [("y", "Slice", "x", {"axes": [2], "starts": [1], "ends": [5]})], {}, 9)
check("Gather", [("y", "Gather", "x i", {"axis": 2})], {"i": ints(1, 2, 3, 0, -1)})
check("Gather of one place", [("y", "Gather", "x i", {"axis": 3})], {"i": np.int64(-2)})
check("Split", [("a b", "Split", "x s", {"axis": 2}), ("y", "Concat", "b a", {"axis": 1})], {"s": ints(4, 4)})
check("Split into equal parts", [("a b", "Split", "x", {"axis": 3}), ("y", "Mul", "a b")], {}, 11)
check("Split, sizes as an attribute", [("a b", "Split", "x", {"axis": 1, "split": [1, 2]}), ("y", "Concat", "b a", {"axis": 1})], {}, 11)
check("Concat of a constant in front",
      [("t", "Reshape", "x s"), ("c", "Concat", "k t", {"axis": 1}), ("y", "Relu", "c")], {"s": ints(0, 24, 8), "k": w(1, 2, 8)},
      shape=(1, 3, 8, 8))
check("Expand of a token to the batch",
      [("t", "Reshape", "x s"), ("a", "Shape", "t"), ("b", "Slice", "a z o"), ("d", "Concat", "b r", {"axis": 0}), ("e", "Expand", "k d"),
       ("c", "Concat", "e t", {"axis": 1}), ("y", "Relu", "c")],
      {"s": ints(0, 24, 8), "k": w(1, 1, 8), "z": ints(0), "o": ints(1), "r": ints(1, 8)})
for mode in "constant", "reflect", "edge":
    check(f"Pad, {mode}", [("y", "Pad", "x p", {"mode": mode})], {"p": ints(0, 0, 1, 2, 0, 0, 0, 3)})
check("Pad by a value", [("y", "Pad", "x p v")], {"p": ints(0, 0, 1, 2, 0, 0, 0, 3), "v": np.float32(.5)})
check("Pad of channels", [("y", "Pad", "x p")], {"p": ints(0, 1, 0, 0, 0, 2, 0, 0)})
check("Pad, opset 9", [("y", "Pad", "x", {"pads": [0, 0, 1, 1, 0, 0, 1, 1]})], {}, 9)
check("DepthToSpace and SpaceToDepth", [("s", "SpaceToDepth", "x", {"blocksize": 2}), ("r", "Relu", "s"), ("y", "DepthToSpace", "r", {"blocksize": 2})])
check("DepthToSpace, CRD", [("s", "SpaceToDepth", "x", {"blocksize": 2}), ("y", "DepthToSpace", "s", {"blocksize": 2, "mode": "CRD"})])
check("Identity, Dropout, Cast", [("a", "Identity", "x"), ("b", "Dropout", "a"), ("c", "Cast", "b", {"to": 1}), ("y", "Relu", "c")])

# ---- inputs ----
check("a fixed batch of 1", [("y", "Reshape", "x s"), ("z", "Softmax", "y"), ("m", "Mul", "z y")], {"s": ints(1, 24, 8)}, shape=(1, 3, 8, 8))
check("a fixed batch of 4", [("y", "Reshape", "x s"), ("z", "Softmax", "y"), ("m", "Mul", "z y")], {"s": ints(4, 24, 8)}, shape=(4, 3, 8, 8))
nhwc = ("N", 8, 6, 3)
check("channels last, turned", [("t", "Transpose", "x", {"perm": [0, 3, 1, 2]}), ("y", "Conv", "t w b")], conv, shape=nhwc)
check("channels last, prepared first", [("d", "Div", "x c"), ("t", "Transpose", "d", {"perm": [0, 3, 1, 2]}), ("y", "Conv", "t w b")],
      conv | {"c": np.float32(2)}, shape=nhwc)
check("channels last to the end", [("y", "Mul", "x c")], {"c": w(3)}, shape=nhwc)

# ---- 8 bits ----
# Operators in 8 bits are not run as written: only so can the runtime be asked
# not to let sums of two products saturate at 16 bits, as it does without VNNI.
q8 = {"xs": np.float32(.02), "xz": np.uint8(120), "ws": (np.abs(w(4)) / 100 + .01), "wz": np.zeros(4, np.int8),
      "wq": rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8), "ys": np.float32(.05), "yz": np.uint8(128),
      "bq": rng.integers(-500, 500, 4).astype(np.int32)}
step = 0.011  # one step of the result in 8 bits, of the largest
pairs = [("a", "QuantizeLinear", "x xs xz"), ("d", "DequantizeLinear", "a xs xz"), ("w", "DequantizeLinear", "wq ws wz", {"axis": 0})]
for opset in 13, 19:
    check(f"pairs around Conv, opset {opset}", pairs + [("c", "Conv", "d w"), ("e", "QuantizeLinear", "c ys yz"), ("y", "DequantizeLinear", "e ys yz")],
          q8, opset, limit=step)
check("QLinearConv", [("a", "QuantizeLinear", "x xs xz"), ("c", "QLinearConv", "a xs xz wq ws wz ys yz bq"), ("y", "DequantizeLinear", "c ys yz")],
      q8, 10, limit=step, as_written=False)
check("QLinearMatMul",
      [("a", "QuantizeLinear", "x xs xz"), ("c", "QLinearMatMul", "a xs xz mq ms mz ys yz"), ("y", "DequantizeLinear", "c ys yz")],
      q8 | {"mq": rng.integers(-99, 99, (8, 5)).astype(np.int8), "ms": np.float32(.01), "mz": np.int8(3)}, 10, limit=step,
      as_written=False)
ms = {"domain": "com.microsoft"}
check("QLinearAdd", [("a", "QuantizeLinear", "x xs xz"), ("c", "QLinearAdd", "a xs xz a xs xz ys yz", ms), ("y", "DequantizeLinear", "c ys yz")],
      q8, 10, limit=step)
check("QLinearGlobalAveragePool",
      [("a", "QuantizeLinear", "x xs xz"), ("c", "QLinearGlobalAveragePool", "a xs xz ys yz", ms), ("y", "DequantizeLinear", "c ys yz")],
      q8 | {"ys": np.float32(.004)}, 10, limit=step)

check("MaxPool in 8 bits",
      [("a", "QuantizeLinear", "x xs xz"), ("p", "MaxPool", "a", {"kernel_shape": [2, 2]}), ("y", "DequantizeLinear", "p xs xz")], q8, 13, limit=step)
check("QLinearConcat behind a token",
      [("a", "QuantizeLinear", "x xs xz"), ("t", "Reshape", "a s"), ("c", "QLinearConcat", "ys yz k ks kz t xs xz", ms | {"axis": 1}),
       ("y", "DequantizeLinear", "c ys yz")],
      q8 | {"s": ints(0, 24, 8), "k": np.arange(8, dtype=np.uint8).reshape(1, 1, 8), "ks": np.float32(.1), "kz": np.uint8(3)}, 13,
      shape=(1, 3, 8, 8), limit=step)

# ---- what is not read ----
refuses("an unknown operator", "'Sinh' at 'n0'", [("y", "Sinh", "x")])
refuses("an exponent that is no number", "'Pow' at 'n1'", [("e", "Relu", "x"), ("y", "Pow", "x e")])
refuses("another domain", "another domain", [("y", "FusedMatMul", "x x", ms)])
refuses("an old operator set", "operator set 6", [("y", "Relu", "x")], {}, 6)
refuses("rows of unknown number", "does not say its size 2", [("y", "GlobalAveragePool", "x")], shape=("N", 3, "H", "W"))
adze("adze-import -q a.onnx -o size=[16,12] -O size.st && adze-show -m size.st >s.txt")
ok("16" in open("s.txt").read(), "which is given")

# ---- tensors beside the file ----
m = model([("y", "Conv", "x w b"), ("out", "Flatten", "y")], conv, 17, ("N", 3, 8, 8))
onnx.save(m, "c.onnx")
onnx.save(m, "e.onnx", save_as_external_data=True, location="e.data", size_threshold=0)
adze("adze-import -q c.onnx -O c.st && adze-import -q e.onnx -O e.st && adze-compare --tolerance 0 c.st e.st")
ok(True, "a file beside")
for name, word in ("../e.data", "not beside"), ("/etc/passwd", "not beside"), ("link", "not followed"), (".", "not beside"), ("gone", "No such file"):
    e = onnx.load("e.onnx", load_external_data=False)
    for t in e.graph.initializer:
        for pair in t.external_data:
            pair.value = name if pair.key == "location" else pair.value
    with open("bad.onnx", "wb") as f:
        f.write(e.SerializeToString())
    adze("ln -sf e.data link")
    try:
        adze("adze-import -q bad.onnx -O none.st")
        ok(False, f"tensors in '{name}'")
    except RuntimeError as why:
        ok("status 3" in str(why) and word in str(why), f"tensors in '{name}' are refused", str(why))
