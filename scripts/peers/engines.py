"""engines.py -- the peers, each as a function that runs a network once.
SPDX-License-Identifier: MIT

ENGINES[name](job, x) -> once, and once() -> the logits of x as an array.
A job says network, type (fp32, bf16, fp16, int8), batch, threads, dir (the files
of models.py), and for PyTorch a device (cpu, cuda).  Modules are imported where
they are used: a process holds one engine.
"""
import os

import numpy as np


def onnx_file(job):
    return os.path.join(job["dir"], "int8.onnx" if job["type"] == "int8" else "float.onnx")


def onnxruntime(job, x):
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads = job["threads"]
    o.add_free_dimension_override_by_name("N", len(x))
    s = ort.InferenceSession(onnx_file(job), o, providers=["CPUExecutionProvider"])
    return lambda: s.run(["logits"], {"image": x})[0]


def openvino(job, x):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(onnx_file(job))
    model.reshape({"image": list(x.shape)})
    # Of its own accord it would compute in bf16 where the processor can.
    hint = "bf16" if job["type"] == "bf16" else "f32"
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": job["threads"], "INFERENCE_PRECISION_HINT": hint})
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(x))
    return lambda: request.infer(share_outputs=True)[0]


def ncnn(job, x):
    import ncnn as n

    net = n.Net()
    net.opt.num_threads = job["threads"]
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = job["type"] == "bf16"
    stem = os.path.join(job["dir"], "network.ncnn")
    if net.load_param(stem + ".param") or net.load_model(stem + ".bin"):
        raise RuntimeError("ncnn cannot read what pnnx made")
    pictures = [n.Mat(p).clone() for p in x]

    def one(picture):
        e = net.create_extractor()
        e.input("in0", picture)
        status, out = e.extract("out0")
        if status:
            raise RuntimeError(f"extract gives {status}")
        return np.array(out)

    return lambda: np.stack([one(p) for p in pictures])


def network(job):
    """The network of torchvision with the weights of adze-init."""
    import torchvision
    from safetensors.torch import load_file

    from models import TORCH
    from resnet20 import resnet20

    name = TORCH[job["network"]]
    net = resnet20() if name == "resnet20" else getattr(torchvision.models, name)()
    missing, unexpected = net.load_state_dict(load_file(os.path.join(job["dir"], "weights.safetensors")), strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise RuntimeError(f"the networks differ: {(missing + unexpected)[:3]}")
    return net


def device_of(job):
    """Where PyTorch computes: in fp32 with fp32's products, no TF32."""
    import torch

    torch.set_num_threads(job["threads"])
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return job.get("device", "cpu")


def compute(job, x, prepare):
    import torch
    import torch.fx.experimental.optimization as optimization

    device = device_of(job)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(job["type"], torch.float32)
    net = network(job).eval()
    if any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()):
        net = optimization.fuse(net)
    image = torch.from_numpy(x).to(device).contiguous(memory_format=torch.channels_last)
    net = prepare(net.to(device, kind, memory_format=torch.channels_last), image.to(kind))

    def once():
        with torch.inference_mode():
            return net(image.to(kind)).float().cpu().numpy()

    return once


def torch_eager(job, x):
    return compute(job, x, lambda net, image: net)


def torch_compile(job, x):
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True  # weights are constants: folded, packed
    mode = "reduce-overhead" if job.get("device") == "cuda" else None  # with CUDA graphs
    return compute(job, x, lambda net, image: torch.compile(net, mode=mode))


def torch_graph(job, x):
    """All of it as one CUDA graph, replayed."""
    import torch

    def captured(net, image):
        with torch.inference_mode():
            own, side = image.clone(), torch.cuda.Stream()
            with torch.cuda.stream(side):
                for _ in range(3):
                    net(own)
            side.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = net(own)

        def replay(image):
            own.copy_(image)
            graph.replay()
            return out

        return replay

    return compute(job, x, captured)


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn, "torch": torch_eager, "compile": torch_compile,
           "graph": torch_graph}
