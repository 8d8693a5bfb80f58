#!/usr/bin/env python3
"""adze_stream.py -- read a tensor stream of adze (adze-formats(5)).
SPDX-License-Identifier: MIT

    adze-augment -d data --epochs=3 | python3 train.py

    for meta, tensor in adze_stream.frames(sys.stdin.buffer):
        step(tensor["image"], tensor["target"], int(meta["epoch"]))
"""
import json
import sys

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "i1", "U8": "u1", "BOOL": "?"}


def frames(file):
    """Yield (metadata, {name: array}) for each frame; ValueError if the stream is cut."""
    ended = True
    while start := file.read(8):
        header = json.loads(exactly(file, int.from_bytes(start, "little")))
        meta = header.pop("__metadata__")
        data = exactly(file, max((t["data_offsets"][1] for t in header.values()), default=0))
        ended = meta["adze.kind"] == "end"
        if not ended:
            yield meta, {name: np.frombuffer(data[slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"])
                         for name, t in header.items()}
    if not ended:
        raise ValueError("the stream ends without an end frame")


def exactly(file, n):
    data = file.read(n)
    if len(data) != n:
        raise ValueError(f"the stream ends after {len(data)} of {n} bytes")
    return data


if __name__ == "__main__":
    for meta, tensor in frames(sys.stdin.buffer):
        print("epoch", meta["epoch"], *(f"{name} {a.dtype} {list(a.shape)} mean {a.mean():.6g}" for name, a in tensor.items()))
