"""loading.py -- pictures to batches with torchvision and the DataLoader of
PyTorch: random crop, flip, normalisation.
SPDX-License-Identifier: MIT
"""
import os


class Photos:
    """The pictures of a folder, over and over, COUNT in all."""

    def __init__(self, folder, count, read, change):
        self.files = sorted(os.path.join(d, f) for d, _, files in os.walk(folder) for f in files if not f.startswith("."))
        self.count, self.read, self.change = count, read, change

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return self.change(self.read(self.files[i % len(self.files)]))


def by_pillow():
    from PIL import Image
    from torchvision import transforms as t

    return lambda path: Image.open(path).convert("RGB"), [
        t.RandomResizedCrop(224), t.RandomHorizontalFlip(), t.ToTensor()]


def by_tensor():
    import torch
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2 as t

    return lambda path: decode_image(path, ImageReadMode.RGB), [
        t.RandomResizedCrop(224, antialias=True), t.RandomHorizontalFlip(), t.ToDtype(torch.float32, scale=True)]


def normalised(steps):
    from torchvision import transforms as t

    return t.Compose(steps + [t.Normalize([.485, .456, .406], [.229, .224, .225])])


def pictures(job):
    """Batches of a folder of classes, shuffled, on all threads."""
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2 as t

    read, steps = by_tensor()
    if job["size"] == 32:
        steps[0] = t.RandomCrop(32, padding=4)
    return torch.utils.data.DataLoader(
        datasets.ImageFolder(job["pictures"], normalised(steps), loader=read), job["batch"], shuffle=True, drop_last=True,
        num_workers=job["threads"], persistent_workers=True, pin_memory=job["device"] == "cuda", multiprocessing_context="fork")


def epoch(job):
    import torch

    read, steps = {"pillow": by_pillow, "tensor": by_tensor}[job["engine"]]()
    change = normalised(steps)
    torch.manual_seed(1)
    loader = torch.utils.data.DataLoader(
        Photos(job["photos"], job["batch"] * job["batches"], read, change), job["batch"], shuffle=True,
        num_workers=job["threads"], persistent_workers=True, multiprocessing_context="fork")

    def once():
        for _ in loader:
            pass

    return once
