#!/usr/bin/env python3
"""make-ref-op.py -- what torch says to the cases of tests/op.
SPDX-License-Identifier: MIT

usage: scripts/make-ref-op.py > tests/ref/op_torch.h
       scripts/make-ref-op.py math > tests/ref/op_torch_math.h
       scripts/make-ref-op.py optim > tests/ref/optim_torch.h
Needs torch.  Each case is (op, attributes, inputs, shapes of the operands,
function of the operands, what else); the inputs are those of op_fill()."""
import sys

import torch
import torch.nn.functional as F

N = 2


def fill(shape, k, scale=1.0, positive=False):
    count = 1
    for d in shape:
        count *= d
    i = torch.arange(count, dtype=torch.int64)
    v = ((i * 7919 + k * 104729 + 17) % 1009 - 504).double() / 256 + 1 / 512
    v = v.abs() + 0.5 if positive else v * scale
    return v.reshape(shape)


def index(n, k, modulus):
    i = torch.arange(n, dtype=torch.int64)
    return (i * 7919 + k * 104729 + 17) % 1009 % modulus


def wide(shape, k=0, scale=1.0):
    return fill(shape, k, scale).requires_grad_()


cases = []


def case(op, attr, given, f, shapes, flags="0", scale=1.0, positive=(),
         fixed=None):
    """SHAPES of the float operands by place; FIXED: {place: tensor} others."""
    above = flags == "CASE_POSITIVE"
    x = {k: fill(s, k, scale, above or k in positive).requires_grad_(
        k not in positive) for k, s in shapes.items()}
    args = dict(x)
    args.update(fixed or {})
    out = f(*[args[k] for k in sorted(args)])
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    loss = sum((o * fill(o.shape, 100 + i)).sum() for i, o in enumerate(outs))
    leaf = [x[k] for k in sorted(x) if x[k].requires_grad]
    grads = torch.autograd.grad(loss, leaf, allow_unused=True)
    values = [v for t in outs + [g for g in grads if g is not None]
              for v in t.detach().float().flatten().tolist()]
    cases.append((op, attr, given, flags, scale, values))


X = (N, 3, 5, 4)
for op, f, scale in [
        ("relu", F.relu, 1), ("relu6", F.relu6, 4),
        ("hardswish", F.hardswish, 3), ("hardsigmoid", F.hardsigmoid, 3),
        ("sigmoid", torch.sigmoid, 4), ("silu", F.silu, 4),
        ("tanh", torch.tanh, 2), ("gelu", F.gelu, 2),
        ("leakyrelu", F.leaky_relu, 1), ("elu", F.elu, 2),
        ("selu", F.selu, 2), ("softsign", F.softsign, 2),
        ("softplus", F.softplus, 4), ("hardtanh", F.hardtanh, 1),
        ("mish", F.mish, 2), ("logsoftmax", lambda x: x.log_softmax(1), 2)]:
    case(op, "", "N,7", f, {0: (N, 7)}, scale=scale)
case("leakyrelu", "slope=0.3", "N,7", lambda x: F.leaky_relu(x, .3),
     {0: (N, 7)})
case("elu", "alpha=0.5", "N,7", lambda x: F.elu(x, .5), {0: (N, 7)})
case("softplus", "beta=3 threshold=2", "N,7", lambda x: F.softplus(x, 3, 2),
     {0: (N, 7)})
case("hardtanh", "min=-0.5 max=1.5", "N,7", lambda x: F.hardtanh(x, -.5, 1.5),
     {0: (N, 7)})
case("prelu", "", "N,3,2", F.prelu, {0: (N, 3, 2), 1: (1,)})
case("prelu", "per_channel=yes", "N,3,2", F.prelu, {0: (N, 3, 2), 1: (3,)})
case("gelu", "approximate=tanh", "N,7",
     lambda x: F.gelu(x, approximate="tanh"), {0: (N, 7)}, scale=2)
case("clip", "min=-1 max=0.5", "N,7", lambda x: x.clamp(-1, .5), {0: (N, 7)})

case("conv2d", "out=4 kernel=3 pad=1 bias=yes", "N,3,5,4",
     lambda x, w, b: F.conv2d(x, w, b, padding=1),
     {0: X, 1: (4, 3, 3, 3), 2: (4,)})
case("conv2d", "out=2 kernel=[3,2] stride=[2,1] dilation=[1,2] pad=[1,0]",
     "N,3,5,4", lambda x, w: F.conv2d(x, w, None, (2, 1), (1, 0), (1, 2)),
     {0: X, 1: (2, 3, 3, 2)})
case("conv2d", "out=6 kernel=3 pad=1 groups=3", "N,3,5,4",
     lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 3),
     {0: X, 1: (6, 1, 3, 3)})


def deform(**kw):
    from torchvision.ops import deform_conv2d

    def f(x, offset, *rest):
        mask = rest[0] if kw.get("mask") else None
        w, *b = rest[1:] if kw.get("mask") else rest
        return deform_conv2d(x, offset, w, b[0] if b else None, mask=mask,
                             **{k: v for k, v in kw.items() if k != "mask"})
    return f


case("deformconv2d", "out=2 kernel=2 bias=yes", "N,2,3,4 N,8,2,3", deform(),
     {0: (N, 2, 3, 4), 1: (N, 8, 2, 3), 3: (2, 2, 2, 2), 4: (2,)})
case("deformconv2d", "out=2 kernel=3 pad=[1,2] stride=2 dilation=[1,2] "
     "offset_groups=2 groups=2 mask=yes", "N,2,5,4 N,36,3,2 N,18,3,2",
     deform(mask=True, padding=(1, 2), stride=2, dilation=(1, 2)),
     {0: (N, 2, 5, 4), 1: (N, 36, 3, 2), 2: (N, 18, 3, 2), 3: (2, 1, 3, 3)})
for attr, kw in (("", {"scale_factor": 2}), ("size=[2,5]", {"size": (2, 5)}),
                 ("mode=bilinear size=[5,2]", {"size": (5, 2)}),
                 ("mode=bilinear align_corners=yes size=[5,2]",
                  {"size": (5, 2), "align_corners": True})):
    kw.update(mode="bilinear" if "bilinear" in attr else "nearest")
    case("upsample", attr, "N,1,3,4", lambda x: F.interpolate(x, **kw),
         {0: (N, 1, 3, 4)})
for align in (False, True):
    yes = "align_corners=%s" % ("no", "yes")[align]
    case("affinegrid", "size=[2,3] " + yes, "N,2,3",
         lambda t: F.affine_grid(t, (N, 1, 2, 3), align), {0: (N, 2, 3)})
    for pad in ("zeros", "border"):
        case("gridsample", "padding=%s %s" % (pad, yes), "N,2,3,4 N,2,3,2",
             lambda x, g: F.grid_sample(x, g, "bilinear", pad, align),
             {0: (N, 2, 3, 4), 1: (N, 2, 3, 2)}, scale=.6)
case("groupnorm", "groups=2", "N,4,2,2", lambda x, w, b: F.group_norm(x, 2, w, b),
     {0: (N, 4, 2, 2), 1: (4,), 2: (4,)})
case("instancenorm", "affine=yes", "N,2,5",
     lambda x, w, b: F.instance_norm(x, None, None, w, b),
     {0: (N, 2, 5), 1: (2,), 2: (2,)})
case("lrn", "size=3 alpha=0.5 beta=0.6 k=2", "N,4,2",
     lambda x: F.local_response_norm(x, 3, .5, .6, 2), {0: (N, 4, 2)})
case("l2norm", "", "N,5,2", lambda x: F.normalize(x), {0: (N, 5, 2)})
case("embedding", "rows=5 dim=3", "i64%5:N,2",
     lambda x, w: F.embedding(x.reshape(N, 2), w), {1: (5, 3)},
     fixed={0: index(4, 0, 5)})
for kind, f in (("mean", torch.mean), ("sum", torch.sum), ("max", torch.amax)):
    case("reduce", "axes=[1,2] kind=" + kind, "N,2,3,2",
         lambda x: f(x, (1, 2), keepdim=True), {0: (N, 2, 3, 2)})
case("linear", "out=3", "N,4,5", F.linear, {0: (N, 4, 5), 1: (3, 5), 2: (3,)})
case("matmul", "", "N,3,4 N,4,2", torch.matmul, {0: (N, 3, 4), 1: (N, 4, 2)})
case("matmul", "", "N,3,4 4,2", torch.matmul, {0: (N, 3, 4), 1: (4, 2)})


def bn(train):
    def f(x, w, b, m, v):
        return F.batch_norm(x, m.detach().clone(), v.detach().clone(), w, b,
                            train)
    return f


BN = {0: X, 1: (3,), 2: (3,), 3: (3,), 4: (3,)}


def case_bn(train):
    x = {k: fill(s, k, 1, k == 4) for k, s in BN.items()}
    for k in range(3):
        x[k].requires_grad_()
    out = bn(train)(*[x[k] for k in range(5)])
    g = torch.autograd.grad((out * fill(out.shape, 100)).sum(),
                            [x[k] for k in range(3)])
    cases.append(("batchnorm2d", "", "N,3,5,4", "CASE_TRAIN" if train else "0",
                  1, [v for t in (out, *g)
                      for v in t.detach().float().flatten().tolist()]))


case_bn(True)
case_bn(False)
case("layernorm", "", "N,4,5",
     lambda x, w, b: F.layer_norm(x, (5,), w, b),
     {0: (N, 4, 5), 1: (5,), 2: (5,)})
case("layernorm", "axis=1 eps=1e-6", "N,3,5,4",
     lambda x, w, b: F.layer_norm(x.permute(0, 2, 3, 1), (3,), w, b,
                                  1e-6).permute(0, 3, 1, 2),
     {0: X, 1: (3,), 2: (3,)})
case("softmax", "axis=1", "N,3,5", lambda x: x.softmax(1), {0: (N, 3, 5)},
     scale=4)
case("maxpool2d", "kernel=3 stride=2 pad=1", "N,3,5,4",
     lambda x: F.max_pool2d(x, 3, 2, 1), {0: X})
case("maxpool2d", "kernel=2 ceil_mode=yes", "N,3,5,4",
     lambda x: F.max_pool2d(x, 2, ceil_mode=True), {0: X})
for ceil in (False, True):
    for inc in (False, True):
        case("avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=%s "
             "count_include_pad=%s" % (("no", "yes")[ceil],
                                       ("no", "yes")[inc]), "N,2,6,5",
             lambda x: F.avg_pool2d(x, 3, 2, 1, ceil, inc), {0: (N, 2, 6, 5)})
case("globalavgpool", "", "N,3,5,4", lambda x: x.mean((2, 3)), {0: X})
case("adaptiveavgpool2d", "size=[3,2]", "N,2,5,7",
     lambda x: F.adaptive_avg_pool2d(x, (3, 2)), {0: (N, 2, 5, 7)})
case("add", "", "N,3,2 N,3,2 3,1", lambda x, y, z: x + y + z,
     {0: (N, 3, 2), 1: (N, 3, 2), 2: (3, 1)})
case("mul", "", "N,3,2,2 N,3,1,1", lambda x, y: x * y,
     {0: (N, 3, 2, 2), 1: (N, 3, 1, 1)})


def attention(heads):
    def f(x, bias=None):
        q, k, v = (p.unflatten(2, (heads, -1)).transpose(1, 2)
                   for p in x.chunk(3, 2))
        if bias is not None:
            bias = bias.repeat(len(x) // len(bias), 1, 1, 1)
        y = F.scaled_dot_product_attention(q, k, v, bias)
        return y.transpose(1, 2).flatten(2)
    return f


for heads in (1, 2):
    case("attention", "heads=%d" % heads, "N,3,12", attention(heads),
         {0: (N, 3, 12)})
case("attention", "heads=2 bias=yes", "2*N,2,6 2,2,2,2", attention(2),
     {0: (2 * N, 2, 6), 1: (2, 2, 2, 2)})


def windows(x, h, w, s, shift):
    """As torchvision's shifted_window_attention: pad, roll, cut."""
    n, c = len(x), x.shape[2]
    x = F.pad(x.unflatten(1, (h, w)), (0, 0, 0, -w % s, 0, -h % s))
    h, w = x.shape[1:3]
    x = torch.roll(x, (-shift, -shift), (1, 2))
    x = x.view(n, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n * (h // s) * (w // s), s * s, c)


def whole(x, h, w, s, shift):
    a, b, c = -(-h // s), -(-w // s), x.shape[2]
    x = x.view(-1, a, b, s, s, c).permute(0, 1, 3, 2, 4, 5)
    x = torch.roll(x.reshape(-1, a * s, b * s, c), (shift, shift), (1, 2))
    return x[:, :h, :w].flatten(1, 2)


def window_bias(x, h, w, s, shift):
    at = torch.stack(torch.meshgrid(torch.arange(s), torch.arange(s), indexing="ij")).flatten(1)
    at = (at[:, :, None] - at[:, None] + s - 1)
    y = x[(at[0] * (2 * s - 1) + at[1]).flatten()].view(s * s, s * s, -1).permute(2, 0, 1)[None]
    if shift:
        part = torch.zeros(-(-h // s) * s, -(-w // s) * s)
        cuts = ((0, -s), (-s, -shift), (-shift, None))
        for i, r in enumerate(cuts):
            for j, c in enumerate(cuts):
                part[r[0]:r[1], c[0]:c[1]] = 3 * i + j
        part = windows(part.flatten()[None, :, None], *part.shape, s, 0)[:, :, 0]
        y = y + -100. * (part[:, None] != part[:, :, None])[:, None]
    return y


for h, w, s, shift in ((2, 4, 2, 0), (3, 3, 2, 1)):
    place = "grid=[%d,%d] size=%d shift=%d" % (h, w, s, shift)
    n = -(-h // s) * -(-w // s)
    case("windowpartition", place, "N,%d,1" % (h * w),
         lambda x: windows(x, h, w, s, shift), {0: (N, h * w, 1)})
    case("windowreverse", place, "%d*N,%d,1" % (n, s * s),
         lambda x: whole(x, h, w, s, shift), {0: (n * N, s * s, 1)})
    case("windowbias", place, "%d,1" % (2 * s - 1) ** 2,
         lambda x: window_bias(x, h, w, s, shift), {0: ((2 * s - 1) ** 2, 1)})
case("classtoken", "", "N,3,2",
     lambda x, t: torch.cat((t.expand(N, -1, -1), x), 1),
     {0: (N, 3, 2), 1: (1, 1, 2)})
case("concat", "axis=1", "N,3,2 N,1,2", lambda x, y: torch.cat((x, y), 1),
     {0: (N, 3, 2), 1: (N, 1, 2)})
case("split", "axis=1 sizes=[1,3]", "N,4,2",
     lambda x: torch.split(x, (1, 3), 1), {0: (N, 4, 2)})
case("transpose", "perm=[0,2,1,3]", "N,3,5,4",
     lambda x: x.permute(0, 2, 1, 3), {0: X})
for mode, name in (("constant", "constant"), ("reflect", "reflect"),
                   ("edge", "replicate")):
    case("pad", "pad=[1,2,0,3] mode=%s" % mode, "N,1,4,5",
         lambda x: F.pad(x, (2, 3, 1, 0), name), {0: (N, 1, 4, 5)})
case("channelshuffle", "groups=3", "N,6,2", lambda x: F.channel_shuffle(x, 3),
     {0: (N, 6, 2)})
case("scale", "", "N,3,5,4", lambda x, g: x * g[:, None, None],
     {0: X, 1: (3,)})

K = 5
hard = {1: index(4, 1, K)}
for eps in (0, .1):
    case("crossentropy", "smoothing=%g" % eps, "2*N,5 i64%5:2*N",
         lambda x, y: F.cross_entropy(x, y, label_smoothing=eps),
         {0: (4, K)}, fixed=hard, scale=2)
    case("crossentropy", "smoothing=%g" % eps, "2*N,5 2*N,5",
         lambda x, y: F.cross_entropy(x, y, label_smoothing=eps),
         {0: (4, K), 1: (4, K)}, scale=2)


layers, cases = cases, []
for op, f in (("exp", torch.exp), ("erf", torch.erf)):
    case(op, "", "N,7", f, {0: (N, 7)}, scale=2)
for op, attr, f in (("log", "", torch.log), ("sqrt", "", torch.sqrt),
                    ("pow", "exponent=-1", torch.reciprocal),
                    ("pow", "exponent=1.7", lambda x: x ** 1.7)):
    case(op, attr, "N,7", f, {0: (N, 7)}, "CASE_POSITIVE")
case("pow", "exponent=3", "N,7", lambda x: x ** 3, {0: (N, 7)})
case("div", "", "N,3,2,2 N,3,1,1", torch.div,
     {0: (N, 3, 2, 2), 1: (N, 3, 1, 1)}, "CASE_POSITIVE")
case("div", "", "- N,3", torch.div, {0: (), 1: (N, 3)}, "CASE_POSITIVE")
case("max", "", "N,3,2 3,1", torch.maximum, {0: (N, 3, 2), 1: (3, 1)})


def number(v):
    return ("%.8g" % v).replace("0.", ".", 1) if abs(v) < 1 and v else "%.8g" % v


def table(name, values):
    print("static const float %s[] = {" % name)
    line = ""
    for v in values:
        t = number(v) + ","
        if len(line) + len(t) > 76:
            print("   " + line)
            line = ""
        line += " " + t
    print("   " + line + "\n};")


def head(name, what, more, body):
    guard = "ADZE_TESTS_REF_%s_H" % name.upper()
    print("/* %s.h -- %s by torch %s.\n * SPDX-License-Identifier: MIT\n *\n"
          " * Made by scripts/make-ref-op.py%s  */\n#ifndef %s\n#define %s\n\n"
          "#include \"../op_check.h\"\n\n%s/* clang-format off */" % (
              name, what, torch.__version__.split("+")[0], more, guard, guard,
              body))


STEPS = 10


def optim(op, attr, make):
    p = torch.nn.Parameter(fill((5,), 0))
    o = make([p])
    values = []
    for s in range(STEPS):
        p.grad = fill((5,), 1 + s)
        for g in o.param_groups:
            g["lr"] = .1 - .01 * s
        o.step()
        values += p.detach().float().tolist()
    return op, attr, values


def print_optim():
    rows = [
        optim("sgd", "momentum=0", lambda p: torch.optim.SGD(p)),
        optim("sgd", "momentum=0.9 decay=0.1", lambda p: torch.optim.SGD(
            p, momentum=.9, weight_decay=.1)),
        optim("sgd", "momentum=0.9 nesterov=yes decay=0.1",
              lambda p: torch.optim.SGD(p, momentum=.9, weight_decay=.1,
                                        nesterov=True)),
        optim("adamw", "", lambda p: torch.optim.AdamW(p)),
        optim("adamw", "beta1=0.8 beta2=0.9 eps=1e-3 decay=0.5",
              lambda p: torch.optim.AdamW(p, betas=(.8, .9), eps=1e-3,
                                          weight_decay=.5))]
    head("optim_torch", "ten steps of optimisers", "; computed in double.", "")
    for i, r in enumerate(rows):
        table("optim_%d" % i, r[2])
    print("\nstatic const struct optim_ref optim_ref[] = {")
    for i, r in enumerate(rows):
        print('    {"%s", "%s", optim_%d},' % (r[0], r[1], i))
    print("};\n/* clang-format on */\n\n#endif")


def print_ops(name, cases, body):
    head(name, "answers to the cases of tests/op",
         "; computed in double.  Each row:\n * the results, then the gradients "
         "of the operands.", body)
    ref = name.replace("_torch", "_ref")
    one = ref[3:]
    for i, c in enumerate(cases):
        table("%s_%d" % (one, i), c[5])
    print("\nstatic const struct op_ref %s[] = {" % ref)
    for i, (op, attr, given, flags, scale, v) in enumerate(cases):
        print('    {{"%s", "%s", "%s", NULL, %s, %g, %d}, %s_%d, %d},'
              % (op, attr, given, flags, scale, N, one, i, len(v)))
    print("};\n/* clang-format on */\n\n#endif")


if sys.argv[1:] == ["optim"]:
    print_optim()
elif sys.argv[1:] == ["math"]:
    print_ops("op_torch_math", cases, "#include \"op_torch.h\"\n\n")
else:
    print_ops("op_torch", layers,
              "struct op_ref {\n    struct op_case c;\n    const float *value;"
              "\n    int count;\n};\n\n")
