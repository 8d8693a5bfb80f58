#!/usr/bin/env python3
# Names and shapes of the state of torchvision's and timm's networks, as the
# rows of tests/format/zoo.c: parameters, tensors, FNV-1a of the sorted lines
# "NAME [A,B]".  Needs torch, torchvision, timm.
import timm, torch, torchvision

def fnv(text):
    h = 0xcbf29ce484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001b3 % 2**64
    return h

def row(name, opts, net):
    state = {k: list(v.shape) for k, v in net.state_dict().items()
             if not k.endswith(("num_batches_tracked", "relative_position_index"))}
    lines = sorted(f"{k} [{','.join(map(str, s))}]\n" for k, s in state.items())
    params = sum(p.numel() for p in net.parameters())
    print(f'    {{"{name}", {opts}, {params}, {len(state)}, '
          f"0x{fnv(''.join(lines)):016x}}},")

def cifar(path):
    # the state of the CIFAR ResNets is that of a published file
    from safetensors import safe_open
    f = safe_open(path, "np")
    lines = sorted(f"{k} [{','.join(map(str, f.get_slice(k).get_shape()))}]\n"
                   for k in f.keys())
    print(f'    {{"resnet20", NULL, 269722, {len(lines)}, '
          f"0x{fnv(''.join(lines)):016x}}},")

print(f"/* torch {torch.__version__}, torchvision {torchvision.__version__}, "
      f"timm {timm.__version__}  */")
m = torchvision.models
row("resnet18", "NULL", m.resnet18())
row("resnet34", "NULL", m.resnet34())
row("resnet50", "NULL", m.resnet50())
row("resnet18", '"classes=10"', m.resnet18(num_classes=10))
row("mobilenet-v2", "NULL", m.mobilenet_v2())
row("mobilenet-v2", '"scale=0.35"', m.mobilenet_v2(width_mult=.35))
row("mobilenet-v2", '"scale=1.4"', m.mobilenet_v2(width_mult=1.4))
row("resnet50-vd", "NULL", timm.create_model("resnet50d"))
row("resnet50", '"variant=c"', timm.create_model("resnet50c"))
row("resnet18", '"variant=d"', timm.create_model("resnet18d"))
row("repvgg-a0", "NULL", timm.create_model("repvgg_a0"))
for name, theirs in (
        ("repvgg-a1", "repvgg_a1"),
        ("repvgg-a2", "repvgg_a2"),
        ("repvgg-b0", "repvgg_b0"),
        ("repvgg-b1", "repvgg_b1"),
        ("repvgg-b1g4", "repvgg_b1g4"),
        ("repvgg-b2", "repvgg_b2"),
        ("repvgg-b2g4", "repvgg_b2g4"),
        ("repvgg-b3", "repvgg_b3"),
        ("repvgg-b3g4", "repvgg_b3g4"),
        ("mobileone-s0", "mobileone_s0"),
        ("mobileone-s1", "mobileone_s1"),
        ("mobileone-s2", "mobileone_s2"),
        ("mobileone-s3", "mobileone_s3"),
        ("mobileone-s4", "mobileone_s4"),
        ("mobilenet-v1-x1.0", "mobilenetv1_100"),
        ("ghostnet-x0.5", "ghostnet_050"),
        ("ghostnet-x1.0", "ghostnet_100"),
        ("ghostnet-x1.3", "ghostnet_130"),
        ("pp-lcnet-x0.35", "lcnet_035"),
        ("pp-lcnet-x0.5", "lcnet_050"),
        ("pp-lcnet-x0.75", "lcnet_075"),
        ("pp-lcnet-x1.0", "lcnet_100"),
        ("pp-lcnet-x1.5", "lcnet_150"),
        ("pp-lcnet-v2-small", "lcnetv2_small"),
        ("pp-lcnet-v2-base", "lcnetv2_base"),
        ("pp-lcnet-v2-large", "lcnetv2_large"),
        ("darknet53", "darknet53"),
        ("se-resnet18", "seresnet18"),
        ("se-resnet34", "seresnet34"),
        ("se-resnet50", "seresnet50"),
        ("se-resnext50-32x4d", "seresnext50_32x4d"),
        ("senet154", "senet154"),
        ("res2net50", "res2net50_26w_4s"),
        ("sk-resnet18", "skresnet18"),
):
    row(name, "NULL", timm.create_model(theirs))
row("mobilenet-v3-large", "NULL", m.mobilenet_v3_large())
row("mobilenet-v3-large", '"scale=0.75"', m.mobilenet_v3_large(width_mult=.75))
row("mobilenet-v3-small", "NULL", m.mobilenet_v3_small())
row("shufflenet-v2-x0.5", "NULL", m.shufflenet_v2_x0_5())
row("shufflenet-v2-x1.0", "NULL", m.shufflenet_v2_x1_0())
row("shufflenet-v2-x1.5", "NULL", m.shufflenet_v2_x1_5())
row("shufflenet-v2-x2.0", "NULL", m.shufflenet_v2_x2_0())
row("squeezenet1.0", "NULL", m.squeezenet1_0())
row("squeezenet1.1", "NULL", m.squeezenet1_1())
row("vit-b-16", "NULL", m.vit_b_16())
row("vit-b-32", "NULL", m.vit_b_32())
row("vit-b-16", '"size=384"', m.vit_b_16(image_size=384))

# names here and there differ by signs only
def rows(*names):
    for n in names:
        there = n.replace("-", "_").replace(".", "_")
        row(n, "NULL", m.get_model(there, weights=None))

def aux(name, opts, there, on):
    row(name, opts, there(weights=None, init_weights=False, aux_logits=on))

rows("alexnet", *[f"vgg{d}{bn}" for d in (11, 13, 16, 19) for bn in ("", "-bn")])
rows(*[f"densenet{d}" for d in (121, 161, 169, 201)])
rows("resnet101", "resnet152", "wide-resnet50-2", "wide-resnet101-2")
rows("resnext50-32x4d", "resnext101-32x8d", "resnext101-64x4d")
for d in (18, 34, 101, 152):
    row(f"resnet{d}-vd", "NULL", timm.create_model(f"resnet{d}d"))
row("resnet50-vc", "NULL", timm.create_model("resnet50c"))
rows(*[f"mnasnet{w}" for w in ("0.5", "0.75", "1.0", "1.3")])
rows(*[f"efficientnet-b{i}" for i in range(8)], *[f"efficientnet-v2-{c}" for c in "sml"])
rows(*[f"regnet-{t}-{f}" for t in "xy" for f in ("400mf", "800mf", "1.6gf", "3.2gf", "8gf", "16gf", "32gf")])
for n, there in (("googlenet", m.googlenet), ("inception-v3", m.inception_v3)):
    aux(n, "NULL", there, True)
    aux(n, '"aux=no"', there, False)
row("vit-l-16", "NULL", m.vit_l_16())
row("vit-l-32", "NULL", m.vit_l_32())
row("vit-t-16", "NULL", timm.create_model("vit_tiny_patch16_224"))
row("vit-s-16", "NULL", timm.create_model("vit_small_patch16_224"))
row("vit-s-32", "NULL", timm.create_model("vit_small_patch32_224"))
for size in "tiny", "small", "base":
    row(f"deit-{size}", "NULL", timm.create_model(f"deit_{size}_patch16_224"))
    row(f"deit-{size}-distilled", "NULL", timm.create_model(f"deit_{size}_distilled_patch16_224"))
for size in "t", "s", "b":
    row(f"swin-{size}", "NULL", getattr(m, f"swin_{size}")())
for size in "tiny", "small", "base", "large":
    row(f"convnext-{size}", "NULL", getattr(m, f"convnext_{size}")())
row("mixer-b-16", "NULL", timm.create_model("mixer_b16_224"))
import sys
if len(sys.argv) > 1:
    cifar(sys.argv[1])
