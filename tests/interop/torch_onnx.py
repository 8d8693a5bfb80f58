"""torch_onnx.py -- networks of torchvision and timm as PyTorch's exporters
write them, with random weights.
SPDX-License-Identifier: MIT

usage: torch_onnx.py FOLDER [NETWORK...]

Run by import_torch.py with a Python that has torch, torchvision, timm and
onnxscript.  Writes FOLDER/NETWORK-script.onnx, by the exporter that traces, of
a fixed batch of 1, and NETWORK-dynamo.onnx, of a symbolic batch; prints the
name of each file when it is whole.
"""
import logging
import os
import sys
import warnings

import timm
import torch
import torchvision.models as tv

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

# Small pictures and few layers where the network lets us choose.
NETWORKS = {
    "resnet18": (lambda: tv.resnet18(), 64),
    "resnext50": (lambda: tv.resnext50_32x4d(), 64),
    "vgg11-bn": (lambda: tv.vgg11_bn(num_classes=10), 224),
    "alexnet": (lambda: tv.alexnet(num_classes=10), 224),
    "squeezenet": (lambda: tv.squeezenet1_1(), 64),
    "densenet121": (lambda: tv.densenet121(), 64),
    "googlenet": (lambda: tv.googlenet(aux_logits=False, init_weights=False), 64),
    "inception-v3": (lambda: tv.inception_v3(aux_logits=False, init_weights=False), 96),
    "mobilenet-v2": (lambda: tv.mobilenet_v2(), 64),
    "mobilenet-v3": (lambda: tv.mobilenet_v3_small(), 64),
    "mnasnet": (lambda: tv.mnasnet0_5(), 64),
    "shufflenet-v2": (lambda: tv.shufflenet_v2_x0_5(), 64),
    "efficientnet-v2": (lambda: tv.efficientnet_v2_s(), 64),
    "regnet-y": (lambda: tv.regnet_y_400mf(), 64),
    "convnext": (lambda: tv.convnext_tiny(), 64),
    "vit": (lambda: tv.VisionTransformer(32, 16, 2, 4, 64, 128), 32),
    "swin": (lambda: tv.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [7, 7]), 64),
    "timm-efficientnet-b0": (lambda: timm.create_model("efficientnet_b0"), 64),
    "timm-seresnet18": (lambda: timm.create_model("seresnet18"), 64),
    "timm-repvgg-a0": (lambda: timm.create_model("repvgg_a0"), 64),
    "timm-ghostnet": (lambda: timm.create_model("ghostnet_100"), 64),
    "timm-res2net50": (lambda: timm.create_model("res2net50_26w_4s"), 64),
    "timm-mixer": (lambda: timm.create_model("mixer_s32_224", img_size=64), 64),
    "timm-vit-tiny": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2), 32),
    "timm-deit": (lambda: timm.create_model("deit_tiny_distilled_patch16_224", img_size=32, depth=2), 32),
    "timm-swin": (lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=56, depths=(2, 2), num_heads=(3, 6), embed_dim=24), 56),
}


# as_strided of a symbolic batch is arithmetic on places, which adze does not read.
FIXED = {"convnext", "swin"}


def random_weights(m):
    """Nothing is zero or one, as in a trained network."""
    with torch.no_grad():
        for name, p in m.named_parameters():
            if p.ndim > 1 and ("head" in name or "token" in name or "pos" in name or "layer_scale" in name or "gamma" in name):
                p.normal_(std=.1)
            elif p.ndim == 1:
                p.add_(torch.randn_like(p) * .1)
        for name, b in m.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(std=.1)


def export(m, size, path, dynamo, batch):
    more = {"external_data": False, "verbose": False} if dynamo else {}
    if dynamo and batch > 1:
        more["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(m, torch.randn(batch, 3, size, size), path, dynamo=dynamo, input_names=["input"], output_names=["output"], **more)


folder, names = sys.argv[1], sys.argv[2:] or list(NETWORKS)
said = os.dup(1)
os.dup2(2, 1)  # exporters talk
for name in names:
    make, size = NETWORKS[name]
    torch.manual_seed(1)
    m = make().eval()
    random_weights(m)
    for kind in "script", "dynamo":
        path = f"{folder}/{name}-{kind}.onnx"
        try:
            export(m, size, path + ".part", kind == "dynamo", 2 if kind == "dynamo" and name not in FIXED else 1)
            os.rename(path + ".part", path)
            os.write(said, f"{path}\n".encode())
        except Exception as e:
            os.write(said, f"! {name}-{kind}: {type(e).__name__}: {str(e).splitlines()[0][:100]}\n".encode())
