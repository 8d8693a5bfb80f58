"""report.py -- the page of Markdown that the figures make.
SPDX-License-Identifier: MIT
"""
import datetime
import importlib.metadata
import os
import platform
import subprocess

TITLES = {"adze": "adze", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "torch": "PyTorch",
          "compile": "torch.compile", "graph": "CUDA graph", "pillow": "torchvision, Pillow", "tensor": "torchvision, tensors", "fast": "adze, fast decoding"}


def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def pair(a, b):
    return "-" if a is None or b is None else f"{number(a)} / {number(b)}"


class Table:
    """Rows of engines; what is missing is "-", with the reason beneath."""

    def __init__(self, title, keys, engines, last):
        self.title, self.keys, self.engines, self.last = title, keys, engines, last
        self.rows, self.notes = [], []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def add(self, keys, cells):
        """KEYS: the first cells; CELLS: the others by engine or by title."""
        self.rows.append(list(keys) + [cells.get(c, "-") for c in [*self.engines, *self.last]])

    def text(self):
        head = [*self.keys, *(TITLES[e] for e in self.engines), *self.last]
        rule = ["---"] * len(self.keys) + ["---:"] * (len(head) - len(self.keys))
        lines = ["| " + " | ".join(row) + " |" for row in [head, rule, *self.rows]]
        return "\n".join([f"### {self.title}", "", *lines, "", *(f"- {n}" for n in self.notes), *([""] if self.notes else [])])


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def machine():
    """The processor in a line."""
    said = dict((part.strip() for part in line.split(":", 1)) for line in output("lscpu").splitlines() if ":" in line)
    flags = said.get("Flags", "").split()
    have = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if f in flags]
    words = [said.get("Model name", platform.machine()), f"{said.get('CPU(s)', '?')} CPUs"]
    words += [f"{level} {said[level + ' cache']}" for level in ("L2", "L3") if level + " cache" in said] + have
    return ", ".join(words) + (" (virtual)" if "Hypervisor vendor" in said else "")


def versions(packages):
    build = output("git", "describe", "--always", "--dirty")
    peers = [f"{TITLES.get(name, name)} {importlib.metadata.version(name)}" for name in packages]
    return ", ".join([output("adze", "--version").splitlines()[0] + (f" {build}" if build else "")] + peers)


def others():
    """A warning if the processors have other work."""
    load = os.getloadavg()[0]
    return f" Other programs ran at the same time, {load:.1f} on average: take the figures as a hint only." if load > 1 else ""


def head(rounds, threads, where, packages):
    """WHERE: the machine; PACKAGES: what the peers are."""
    return "\n".join([
        "## adze and its peers", "",
        f"{datetime.date.today()}, {where}; {platform.system()} {platform.release().split('-')[0]}.{others()}", "",
        f"{versions(packages)}; Python {platform.python_version()}.", "",
        f"{threads} thread{'s' * (threads > 1)} each. The engines take turns, one at a time while the others are stopped, {rounds} round{'s' * (rounds > 1)}. "
        "Cells are the best time and the median of the turns' medians, or pictures a second at these; ratios are adze's time "
        "to that of the best peer, below 1 where adze is faster.", ""])
