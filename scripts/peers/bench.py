"""bench.py -- adze and its peers on this machine: what is measured, and the
page that it makes.  scripts/bench-peers runs it.
SPDX-License-Identifier: MIT

Environment: ONLY, ROUNDS, THREADS, PHOTOS.  adze is adze-benchmark --turns, the others
are worker.py.
"""
import json
import os
import re
import sys

import models
import report
from turns import Whole, Worker, take_turns

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(".build/peers")
SECONDS = .25  # a turn of inference, and two runs at least
LONG = 1  # of training and of reading
INFERRED = ["resnet50", "resnet18", "mobilenet-v2", "mobilenet-v3-large", "shufflenet-v2-x1.0", "squeezenet1.1", "vit-b-16"]
TRAINED = {"resnet20": 128, "resnet18": 32, "resnet50": 16, "mobilenet-v2": 32}  # at a batch
STARTED = [("mobilenet-v2", "fp32"), ("resnet50", "fp32"), ("resnet50", "int8")]
LOAD_BATCH, LOAD_BATCHES = 32, 8
OURS = "adze", "fast"
WORDS = {
    "kind": ["infer", "train", "data", "start"], "type": ["fp32", "bf16", "int8"], "batch": ["b1", "b8"],
    "network": list(models.TORCH), "engine": ["onnxruntime", "openvino", "ncnn", "torch", "compile"],
}
ABSENT = {
    ("onnxruntime", "bf16"): "ONNX Runtime does not compute in bf16 on a CPU.",
    ("ncnn", "int8"): "ncnn's quantiser is in none of its Python packages.",
    ("torch", "int8"): "torchvision's definitions are not in 8 bits.",
    ("compile", "int8"): "torchvision's definitions are not in 8 bits.",
}
# How far answers may be from adze's, as a share of the largest: sums of other order.
TOLERANCE = {"fp32": 1e-3, "bf16": .1, "int8": float("inf")}
BEST, MEDIAN, PEAK = "best: adze / peer", "median: adze / peer", "of the peak"


def fail(text):
    sys.exit(f"{os.environ['PROGRAM']}: {text}")


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


# ---- what is asked for ----

class Asked:
    """WORDS: what ONLY may say, by kind."""

    def __init__(self, environment, words, rounds):
        self.rounds = self.number(environment, "ROUNDS", rounds)
        self.threads = self.number(environment, "THREADS", "2")
        self.photos = environment.get("PHOTOS") and os.path.abspath(environment["PHOTOS"])
        if self.photos and not os.path.isdir(self.photos):
            fail(f"PHOTOS: '{self.photos}' is no folder")
        self.want = {}  # the words of ONLY, by what they are words of
        for word in environment.get("ONLY", "").replace(",", " ").split():
            kinds = [kind for kind, known in words.items() if word in known]
            if not kinds:
                fail(f"ONLY does not know '{word}', but {' '.join(w for known in words.values() for w in known)}")
            self.want.setdefault(kinds[0], set()).add(word)

    @staticmethod
    def number(environment, name, default):
        text = environment.get(name) or default
        if not re.fullmatch("[1-9][0-9]{0,3}", text):
            fail(f"{name} is a number from 1 to 9999, not '{text}'")
        return int(text)

    def has(self, **row):
        return all(row.get(kind) in words for kind, words in self.want.items() if kind != "engine")

    def engines(self, *names):
        return [n for n in names if n in self.want.get("engine", names)]


# ---- one row ----

def adze(asked, model, seconds, *options, name="adze"):
    return Worker(name, ["adze-benchmark", "--turns", "--json", "-q", "-j", str(asked.threads), "--seconds", str(seconds), *options, model])


def in_type(own, kind):
    """adze's worker OWN computing in KIND, which may be more than it can."""
    option = re.search(r"--(precision|dtype)=", models.run("adze-benchmark --help", "."))
    if kind in ("bf16", "fp16") and option:
        own.command += [f"--{option[1]}={kind}"]
    elif kind in ("bf16", "fp16"):
        own.reason = f"adze-benchmark has no option for {kind}"
    return own


def job(asked, engine, **more):
    return [sys.executable, "-B", f"{HERE}/worker.py", json.dumps({"engine": engine, "threads": asked.threads, **more})]


def ratio(own, peers, what):
    """adze's time to that of the best peer."""
    times = [t for t in (getattr(w, what) for w in peers) if t is not None]
    return f"{getattr(own, what) / min(times):.2f}" if times and own.rows else "-"


def share(own):
    """Of the machine's peak in these numbers, the best that was seen while measuring."""
    peak = max((r.get("peak") or 0 for r in own.rows), default=0)
    return f"{200 * own.rows[0]['mmac'] * own.rows[0]['batch'] / own.best / peak:.0f} %" if peak else "-"


def milliseconds(w):
    return report.pair(w.best, w.median)


def per_second(pictures):
    return lambda w: report.pair(*(t and 1e3 * pictures / t for t in (w.best, w.median)))


def measure(asked, table, keys, workers, cell):
    """A row; the first of the workers is adze."""
    own, peers = workers[0], [w for w in workers if w.name not in OURS]
    label = ", ".join(keys)
    take_turns(workers, asked.rounds)
    cells = {w.name: cell(w) for w in workers}
    for w in workers:
        if w.reason:
            table.note(f"{label}, {report.TITLES[w.name]}: {w.reason}")
    table.add(keys, cells | {BEST: ratio(own, peers, "best"), MEDIAN: ratio(own, peers, "median"), PEAK: share(own)})
    say(f"{label}: " + ", ".join(f"{report.TITLES[name]} {text}" for name, text in cells.items()))


def without_model(table, keys, made):
    """Is there no such model?  Then the row says so."""
    if isinstance(made, str):
        table.add(keys, {})
        table.note(f"{keys[0]}: {made}")
    return isinstance(made, str)


def file_of(name, kind):
    return f"{ROOT}/models/{name}/{'int8' if kind == 'int8' else 'float'}.st"


# ---- inference ----

def infer_workers(asked, name, kind, batch, made, engines):
    own = in_type(adze(asked, file_of(name, kind), SECONDS, "-b", str(batch)), kind)
    more = dict(kind="infer", network=name, type=kind, batch=batch, dir=f"{ROOT}/models/{name}", seconds=SECONDS)
    peers = [Worker(e, job(asked, e, **more), made.get("ncnn" if e == "ncnn" else "int8.onnx" if kind == "int8" else None))
             for e in engines if (e, kind) not in ABSENT]
    return [own] + peers


def check_answers(table, label, workers, kind):
    for w in workers[1:]:
        if w.rows and not w.rows[0]["apart"] <= TOLERANCE[kind]:
            table.note(f"{label}, {report.TITLES[w.name]}: answers differ from adze's by {w.rows[0]['apart']:.2g} of the largest.")


def infer_table(asked, kind, made):
    engines = asked.engines(*WORDS["engine"])
    table = report.Table(f"Inference, {kind}: ms a batch, best / median", ["network", "batch"], ["adze", *engines], [BEST, MEDIAN, PEAK])
    for e in engines:
        if (e, kind) in ABSENT:
            table.note(ABSENT[e, kind])
    if "ncnn" in engines and kind != "int8":
        table.note("ncnn has no batches: it takes the pictures one by one.")
    if kind == "int8" and models.reduced():
        table.note("Weights of 7 bits for all: this processor has no VNNI.")
    for name in INFERRED:
        for batch in 1, 8:
            if not asked.has(kind="infer", type=kind, batch=f"b{batch}", network=name):
                continue
            keys = [name, str(batch)]
            if not without_model(table, keys, made[name]):
                workers = infer_workers(asked, name, kind, batch, made[name], engines)
                measure(asked, table, keys, workers, milliseconds)
                check_answers(table, ", ".join(keys), workers, kind)
    return table


# ---- training ----

def train_table(asked, kind, made):
    engines = asked.engines("torch", "compile")
    table = report.Table(f"Training, {kind}: pictures a second, best / median", ["network", "batch"], ["adze", *engines], [BEST, MEDIAN, PEAK])
    for name, batch in TRAINED.items():
        if not asked.has(kind="train", type=kind, network=name):
            continue
        keys = [name, str(batch)]
        if not without_model(table, keys, made[name]):
            where = f"{ROOT}/models/{name}"
            own = in_type(adze(asked, f"{where}/train.st", LONG, "--train", "-b", str(batch)), kind)
            peers = [Worker(e, job(asked, e, kind="train", network=name, type=kind, batch=batch, dir=where, seconds=LONG)) for e in engines]
            measure(asked, table, keys, [own] + peers, per_second(batch))
    return table


# ---- reading photographs ----

def data_table(asked, made):
    table = report.Table("Reading photographs: pictures a second, best / median", ["photographs"],
                         ["adze", "fast", "pillow", "tensor"], [BEST, MEDIAN])
    if not asked.has(kind="data"):
        return table
    table.note(f"Decoded, random resized crop to 224, flip, normalised, batches of {LOAD_BATCH}: adze-benchmark --load; "
               f"torchvision in a DataLoader of {asked.threads} workers.")
    if not asked.photos:
        table.note("PHOTOS=FOLDER was not given.")
        table.add(["-"], {})
    elif not without_model(table, ["-"], made["resnet50"]):
        options = ["--load", asked.photos, "-b", str(LOAD_BATCH), "-o", "train.augment=[random_resized_crop, flip]"]
        model = f"{ROOT}/models/resnet50/train.st"
        own = [adze(asked, model, LONG, *options), adze(asked, model, LONG, *options, "-o", "train.decode=fast", name="fast")]
        peers = [Worker(e, job(asked, e, kind="load", photos=asked.photos, batch=LOAD_BATCH, batches=LOAD_BATCHES, seconds=LONG))
                 for e in ("pillow", "tensor")]
        count = sum(len(files) for _, _, files in os.walk(asked.photos))
        measure(asked, table, [str(count)], own + peers, per_second(LOAD_BATCH))
    return table


# ---- starting up ----

def start_table(asked, made):
    engines = asked.engines("onnxruntime", "openvino", "ncnn", "torch")
    table = report.Table("Starting up: ms of a whole process for one JPEG picture, best / median, and its memory",
                         ["network", "type"], ["adze", *engines], [BEST, MEDIAN])
    table.note("From the start of the process to the first result and its end: adze-infer; the peers in Python, with Pillow.")
    picture = f"{ROOT}/models/picture.jpg"
    for name, kind in STARTED:
        if not asked.has(kind="start", type=kind, network=name) or without_model(table, [name, kind], made[name]):
            continue
        more = dict(kind="first", network=name, type=kind, dir=f"{ROOT}/models/{name}", picture=picture)
        own = Whole("adze", ["adze-infer", "-q", "-j", str(asked.threads), "-m", file_of(name, kind), picture])
        peers = [Whole(e, job(asked, e, **more)) for e in engines if (e, kind) not in ABSENT]
        for e in engines:
            if (e, kind) in ABSENT:
                table.note(f"{kind}: {ABSENT[e, kind]}")
        measure(asked, table, [name, kind], [own] + peers, lambda w: milliseconds(w) + (f", {w.memory:.0f} MB" if w.rows else ""))
    return table


# ---- all ----

def rows_of(network):
    """The rows that a network is in, each with the files that it needs."""
    for kind in WORDS["type"] if network in INFERRED else []:
        for batch in WORDS["batch"]:
            yield dict(kind="infer", type=kind, batch=batch, network=network), {"float", kind, "ncnn"}
    for kind in ("fp32", "bf16") if network in TRAINED else []:
        yield dict(kind="train", type=kind, network=network), {"train"}
    for name, kind in STARTED:
        if name == network:
            yield dict(kind="start", type=kind, network=network), {"float", kind, "ncnn"}
    if network == "resnet50":
        yield dict(kind="data"), {"train"}


def make_models(asked):
    """{network: {what: reason}}, or a reason alone if there is no such model."""
    made, known = {}, models.known()
    for name in models.TORCH:
        want = set().union(*(files for row, files in rows_of(name) if asked.has(**row)))
        if want and name not in known:
            made[name] = "adze-init does not have it"
        elif want:
            say(f"making {name}")
            try:
                made[name] = models.make_apart(name, f"{ROOT}/models", want)
            except RuntimeError as e:
                made[name] = str(e)
    return made


def tables(asked):
    """Each table as soon as it is there."""
    made = make_models(asked)
    for kind in WORDS["type"]:
        yield infer_table(asked, kind, made)
    for kind in "fp32", "bf16":
        yield train_table(asked, kind, made)
    yield data_table(asked, made)
    yield start_table(asked, made)


def main():
    asked = Asked(os.environ, WORDS, "15")
    os.environ.update(OMP_NUM_THREADS=str(asked.threads), TORCHINDUCTOR_CACHE_DIR=f"{ROOT}/inductor")
    page = report.head(asked.rounds, asked.threads, report.machine(), ("onnxruntime", "openvino", "ncnn", "torch", "torchvision"))
    print(page, flush=True)
    for table in tables(asked):
        if table.rows:
            page += "\n" + table.text() + "\n"
            print(table.text(), flush=True)
            with open(f"{ROOT}/report.md", "w") as f:
                f.write(page)
    say(".build/peers/report.md has it")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; .build/peers/report.md has the tables that were done")
