"""worker.py -- one engine as a process that answers each line with a row, as
adze-benchmark --turns does.
SPDX-License-Identifier: MIT

usage: worker.py JOB

JOB is JSON: kind (infer, train, epoch, load, first), engine, and what
engines.py, training.py or loading.py ask for.  A turn takes `seconds' and two runs at
least; the first turn begins with a run that is not counted.  Times are of a
batch.  For inference the row also says how far the first answer is apart from
adze's, as a share of the largest; on a GPU a row has the most memory that was
taken there (device_mb).  Kind first does one picture and ends.
"""
import json
import os
import sys
import time


def burst(once, job):
    times, start, batches = [], time.perf_counter(), job.get("batches", 1)
    while len(times) * batches < 2 or time.perf_counter() - start < job["seconds"]:
        t = time.perf_counter()
        once()
        times.append(1e3 * (time.perf_counter() - t) / batches)
    times.sort()
    return {"min_ms": times[0], "median_ms": times[(len(times) - 1) // 2], "runs": len(times)}


def infer(job):
    import numpy as np
    from safetensors.numpy import load_file

    from engines import ENGINES

    proof = load_file(os.path.join(job["dir"], "proof.st"))
    x, want = (np.resize(proof[k], (job["batch"], *proof[k].shape[1:])) for k in ("image", "logits"))  # over and over
    once = ENGINES[job["engine"]](job, x)
    return once, {"apart": float(np.abs(once() - want).max() / np.abs(want).max())}


def train(job):
    from training import step

    once = step(job)
    once()
    return once, {}


def epochs(job):
    from training import epoch

    once = epoch(job)
    once()
    return once, {}


def load(job):
    from loading import epoch

    once = epoch(job)
    once()
    return once, {}


def first(job):
    from PIL import Image

    from engines import ENGINES
    from models import prepare

    x = prepare(Image.open(job["picture"]).convert("RGB"), 224)[None]
    print(ENGINES[job["engine"]](job, x)().argmax())


def device_memory(job):
    if job.get("device") != "cuda":
        return {}
    import torch

    return {"device_mb": torch.cuda.max_memory_reserved() / 1e6}


def main():
    job = json.loads(sys.argv[1])
    if job["kind"] == "first":
        return first(job)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what engines print is no answer
    sys.stdin.readline()
    once, more = {"infer": infer, "train": train, "epoch": epochs, "load": load}[job["kind"]](job)
    while True:
        row = burst(once, job)
        print(json.dumps(row | more | device_memory(job)), file=answer, flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
