"""gpu.py -- adze and PyTorch on a GPU: what is measured, and the table that it
makes.  scripts/bench-gpu runs it.
SPDX-License-Identifier: MIT

Environment: ONLY, ROUNDS, THREADS, PHOTOS, DEVICE.
"""
import os
import re
import statistics
import subprocess
import time

import models
import report
from bench import HERE, ROOT, TOLERANCE, Asked, adze, fail, file_of, in_type, job, milliseconds, ratio, say
from turns import Whole, Worker, take_turns

NETWORKS = ["resnet50", "mobilenet-v2", "vit-b-16", "resnet20"]
# By device; a CPU has small ones, only to see that all of it works.
BATCHES = {"cuda": [1, 32, 256], "cpu": [1, 2]}
TRAINED = {"cuda": {"resnet50": 256, "mobilenet-v2": 256, "vit-b-16": 128, "resnet20": 512},
           "cpu": {"resnet50": 2, "mobilenet-v2": 2, "vit-b-16": 1, "resnet20": 16}}
STEPS = {"cuda": 8, "cpu": 1}  # of training before PyTorch's host waits for the last
EPOCHS = {"resnet20": 32, "resnet50": 224}  # pixels
PICTURES = {"cuda": {"resnet20": 5120, "resnet50": 1024}, "cpu": {"resnet20": 64, "resnet50": 8}}
SECONDS = .3
BEST, MEDIAN, MEMORY = "best: adze / peer", "median: adze / peer", "GPU memory, MB: adze / least of the peers"
WORDS = {"all": ["all"], "kind": ["infer", "train", "epoch"], "type": ["fp32", "bf16", "fp16"], "batch": ["b1", "b2", "b32", "b256"],
         "network": NETWORKS, "engine": ["torch", "compile", "graph"]}


def usual(kind, type, network, batch):
    """The engines of a row where ONLY says nothing; none: no row."""
    if type == "fp32" or (type == "fp16" and (kind, network) != ("train", "resnet50")):
        return []
    compiles = network == "resnet50" and (kind, batch) in (("train", "-"), ("infer", "b1"), ("infer", "b256"))
    return ["torch"] + ["compile"] * compiles + ["graph"] * (batch in ("-", "b1", "b32") and kind != "epoch")


class Rows:
    """The table as it grows, and what is asked for."""

    def __init__(self, asked, device):
        self.asked, self.device = asked, device
        self.table = report.Table("ms a batch or an epoch, best / median", ["", "network", "type", "batch"],
                                  ["adze", *WORDS["engine"]], [BEST, MEDIAN, MEMORY])
        self.refused, self.made = {}, {}

    def engines(self, kind, type, network, batch="-"):
        want = self.asked.want
        if not want:
            return usual(kind, type, network, batch)
        if not self.asked.has(**{"kind": kind, "type": type, "network": network, "batch": batch, "all": "all"}):
            return []
        return self.asked.engines(*(e for e in WORDS["engine"] if kind != "epoch" or e != "graph"))

    def files(self, network, want):
        """Its folder, or None with a note."""
        if network not in self.made:
            say(f"making {network}")
            try:
                models.make_apart(network, f"{ROOT}/models", want)
                self.made[network] = None
            except RuntimeError as e:
                self.made[network] = str(e)
        return self.made[network] is None

    def refusal(self, type):
        """Why adze does not compute in TYPE here, or None."""
        if type not in self.refused:
            own = in_type(adze(self.asked, file_of("resnet20", type), .01, "-D", self.device), type)
            self.files("resnet20", ["float"])
            take_turns([own], 0)
            self.refused[type] = own.reason
        return self.refused[type]

    def add(self, keys, pairs):
        """PAIRS: of an adze worker and of a peer, which take turns with one another
        alone: all of them at once would not fit into the memory of a GPU."""
        own, peers = pairs[0][0], [peer for _, peer in pairs]
        for ours, peer in pairs:
            take_turns([ours, peer], self.asked.rounds)
            if ours is not own:
                own.rows += ours.rows
                own.reason = own.reason or ours.reason
        label = " ".join(keys)
        for w in [own, *peers]:
            if w.reason:
                self.table.note(f"{label}, {report.TITLES[w.name]}: {w.reason}")
        cells = {w.name: milliseconds(w) for w in [own, *peers]}
        self.table.add(keys, cells | {BEST: ratio(own, peers, "best"), MEDIAN: ratio(own, peers, "median"), MEMORY: memory(own, peers)})
        say(f"{label}: " + ", ".join(f"{report.TITLES[name]} {text}" for name, text in cells.items()))
        return peers

    def leave_out(self, keys, reason):
        self.table.add(keys, {})
        self.table.note(f"{' '.join(keys)}: {reason}")
        say(f"{' '.join(keys)}: {reason}")


def memory(own, peers):
    held = [max((r.get("device_mb", 0) for r in w.rows), default=0) for w in [own, *peers]]
    return f"{held[0]:.0f} / {min(h for h in held[1:] if h):.0f}" if held[0] and any(held[1:]) else "-"


def peer(rows, engine, **more):
    """PyTorch as ENGINE: CUDA graphs are a GPU's."""
    w = Worker(engine, job(rows.asked, engine, device=rows.device, **more))
    if engine == "graph" and rows.device == "cpu":
        w.reason = "a CPU has no CUDA graphs"
    return w


# ---- inference ----

def infer(rows, type):
    for network in NETWORKS[:3]:
        for batch in BATCHES[rows.device]:
            engines, keys = rows.engines("infer", type, network, f"b{batch}"), ["infer", network, type, str(batch)]
            if not engines:
                continue
            if rows.refusal(type) or not rows.files(network, ["float"]):
                rows.leave_out(keys, rows.refusal(type) or rows.made[network])
                continue
            more = dict(kind="infer", network=network, type=type, batch=batch, dir=f"{ROOT}/models/{network}", seconds=SECONDS)
            pairs = [(in_type(adze(rows.asked, file_of(network, type), SECONDS, "-b", str(batch), "-D", rows.device), type),
                      peer(rows, e, **more)) for e in engines]
            for w in rows.add(keys, pairs):
                if w.rows and not w.rows[0]["apart"] <= max(TOLERANCE.get(type, 0), 1e-2):
                    rows.table.note(f"{' '.join(keys)}, {report.TITLES[w.name]}: answers differ from adze's by {w.rows[0]['apart']:.2g} of the largest.")


# ---- training, on random pictures in memory ----

def train(rows, type):
    for network, batch in TRAINED[rows.device].items():
        engines, keys = rows.engines("train", type, network), ["train", network, type, str(batch)]
        if not engines:
            continue
        if rows.refusal(type) or not rows.files(network, ["float"]):
            rows.leave_out(keys, rows.refusal(type) or rows.made[network])
            continue
        where = f"{ROOT}/models/{network}"
        more = dict(kind="train", network=network, type=type, batch=batch, dir=where, seconds=SECONDS, batches=STEPS[rows.device])
        rows.add(keys, [(in_type(adze(rows.asked, f"{where}/train.st", SECONDS, "--train", "-b", str(batch), "-D", rows.device), type),
                         peer(rows, e, **more)) for e in engines])


# ---- epochs, over the pictures of files ----

class Epochs(Whole):
    """adze-train, whose lines of an epoch say when each has ended; the first one
    is not counted."""

    def turn(self):
        p = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        at, said = [], []
        for line in p.stderr:
            said.append(line)
            if re.search(r": epoch [0-9]+:", line):
                at.append(time.perf_counter())
        if p.wait():
            self.fail("".join(said).encode(), p.returncode)
            return None
        ms = [1e3 * (b - a) for a, b in zip(at, at[1:])]
        return {"min_ms": min(ms), "median_ms": statistics.median(ms)}


def pictures(rows, network):
    """A folder of two classes or of ten, with as many files as an epoch has: those
    of PHOTOS over and over, or drawn ones."""
    size, count = EPOCHS[network], PICTURES[rows.device][network]
    photos = rows.asked.photos if size == 224 else None
    where = f"{ROOT}/pictures-{size}-{count}"
    if not photos and not os.path.isdir(where):
        models.run(f"adze-synth -q -n {-(-count // 10)} --size={size * 8 // 7 if size > 32 else size} -f folder -O {where}", ".")
    if not photos:
        return where
    found = sorted(os.path.join(d, f) for d, _, files in os.walk(photos) for f in files if not f.startswith("."))
    if not found:
        fail(f"PHOTOS: '{photos}' has no files")
    where = f"{ROOT}/photos-{count}"
    for i in range(count):
        to = f"{where}/{i % 2}/{i:05}{os.path.splitext(found[i % len(found)])[1]}"
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.lexists(to):
            os.remove(to)
        os.symlink(found[i % len(found)], to)
    return where


def epoch(rows, type):
    for network, size in EPOCHS.items():
        engines, batch = rows.engines("epoch", type, network), min(TRAINED[rows.device][network], PICTURES[rows.device][network])
        keys = ["epoch", network, type, str(batch)]
        if not engines:
            continue
        if rows.refusal(type) or not rows.files(network, ["float"]):
            rows.leave_out(keys, rows.refusal(type) or rows.made[network])
            continue
        folder = pictures(rows, network)
        rows.table.note(f"epoch {network}: {PICTURES[rows.device][network]} {'photographs of PHOTOS' if 'photos' in folder else 'drawn pictures'} "
                        f"as files, decoded, changed and normalised on the way, with {rows.asked.threads} threads or workers.")
        change = "[{pad_crop: {pad: 4}}, flip]" if size == 32 else "[random_resized_crop, flip]"
        own = ["adze-train", "-m", f"{ROOT}/models/{network}/train.st", "-d", folder, "-D", rows.device, "-j", str(rows.asked.threads),
               "-o", f"train.batch={batch}", "-o", f"train.augment={change}", "-o", f"global.precision={type}",
               "-o", "global.epochs=4", "-o", "schedule.lr=0.001", "-O", "/dev/null"]
        more = dict(kind="epoch", network=network, type=type, batch=batch, size=size, pictures=folder,
                    dir=f"{ROOT}/models/{network}", seconds=SECONDS)
        rows.add(keys, [(Epochs("adze", own), peer(rows, e, **more)) for e in engines])


# ---- all ----

def gpu():
    """The GPU in a line."""
    return report.output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader").replace("\n", "; ")


def main():
    device = os.environ["DEVICE"]
    if device not in BATCHES:
        fail(f"DEVICE is {' or '.join(BATCHES)}, not '{device}'")
    asked = Asked(os.environ, WORDS, "3")
    os.environ.update(OMP_NUM_THREADS=str(asked.threads), TORCHINDUCTOR_CACHE_DIR=f"{ROOT}/inductor")
    rows = Rows(asked, device)
    head = report.head(asked.rounds, asked.threads, ", ".join(s for s in (gpu(), report.machine()) if s), ("torch", "torchvision"))
    print(head, flush=True)
    for work in train, infer, epoch:
        for type in WORDS["type"]:
            work(rows, type)
            with open(f"{ROOT}/gpu.md", "w") as f:
                f.write(f"{head}\n{rows.table.text()}\n")
    print(rows.table.text(), flush=True)
    say(".build/peers/gpu.md has it")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; .build/peers/gpu.md has the rows that were done")
