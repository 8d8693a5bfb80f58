"""training.py -- a step of training in PyTorch, by adze's default recipe, on
random pictures in memory.
SPDX-License-Identifier: MIT
"""
import contextlib


def groups(net):
    """Weights decay, biases and normalisation do not."""
    decay = [p for p in net.parameters() if p.ndim > 1]
    return [{"params": decay}, {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0}]


def step(job):
    import torch

    from engines import network

    torch.manual_seed(1)
    torch.set_num_threads(job["threads"])
    net = network(job).train().to(memory_format=torch.channels_last)
    size, classes = (32, 10) if job["network"] == "resnet20" else (224, 1000)
    x = torch.randn(job["batch"], 3, size, size).contiguous(memory_format=torch.channels_last)
    y = torch.randint(classes, (job["batch"],))
    # At rate 0 a step does all that it does, and the numbers stay as they are.
    optimizer = torch.optim.SGD(groups(net), lr=0, momentum=.9, nesterov=True, weight_decay=5e-4, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    run = torch.compile(net) if job["engine"] == "compile" else net
    half = torch.autocast("cpu", torch.bfloat16) if job["type"] == "bf16" else contextlib.nullcontext()

    def once():
        optimizer.zero_grad(set_to_none=True)
        with half:
            value = loss(run(x), y)
        value.backward()
        optimizer.step()

    return once
