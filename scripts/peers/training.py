"""training.py -- a step of training in PyTorch, by adze's default recipe, on
random pictures in memory.
SPDX-License-Identifier: MIT
"""
import contextlib


def groups(net):
    """Weights decay, biases and normalisation do not."""
    decay = [p for p in net.parameters() if p.ndim > 1]
    return [{"params": decay}, {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0}]


class Training:
    """A network with its optimiser: step(x, y).  At rate 0 a step does all that
    it does, and the numbers stay as they are."""

    def __init__(self, job):
        import torch

        from engines import device_of, network

        torch.manual_seed(1)
        self.device, self.type = device_of(job), job["type"]
        self.net = network(job).train().to(self.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(groups(self.net), lr=0, momentum=.9, nesterov=True, weight_decay=5e-4, fused=True)
        self.loss = torch.nn.CrossEntropyLoss()
        self.run = torch.compile(self.net) if job["engine"] == "compile" else self.net
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.type == "fp16")

    def half(self):
        import torch

        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        # Copies of weights in 16 bits cannot be kept over a capture.
        return torch.autocast(self.device, kinds[self.type], cache_enabled=False) if self.type in kinds else contextlib.nullcontext()

    def forward_back(self, x, y):
        with self.half():
            value = self.loss(self.run(x), y)
        self.scaler.scale(value).backward()

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        self.forward_back(x, y)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def captured(t, x, y):
    """The step as one CUDA graph, replayed."""
    import torch

    if t.scaler.is_enabled():
        raise RuntimeError("a step with a dynamic loss scale asks the host: no CUDA graph of it")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            t.step(x, y)
    side.synchronize()
    t.optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        t.forward_back(x, y)
        t.optimizer.step()
    return graph.replay


def step(job):
    """A function that does job["batches"] of them, and waits for the last."""
    import torch

    t = Training(job)
    size, classes = (32, 10) if job["network"] == "resnet20" else (224, 1000)
    x = torch.randn(job["batch"], 3, size, size, device=t.device).contiguous(memory_format=torch.channels_last)
    y = torch.randint(classes, (job["batch"],), device=t.device)
    run = captured(t, x, y) if job["engine"] == "graph" else lambda: t.step(x, y)

    def once():
        for _ in range(job.get("batches", 1)):
            run()
        if t.device == "cuda":
            torch.cuda.synchronize()

    return once


def epoch(job):
    """One over the pictures of a folder."""
    from loading import pictures

    t, loader = Training(job), pictures(job)

    def once():
        for x, y in loader:
            x = x.to(t.device, non_blocking=True)
            t.step(x, y.to(t.device, non_blocking=True))
        if t.device == "cuda":
            import torch

            torch.cuda.synchronize()

    return once
