#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""adze_stream.py -- read a stream of frames from a pipe.

    import sys, adze_stream
    for meta, tensors in adze_stream.frames(sys.stdin.buffer):
        image, target = tensors["image"], tensors["target"]

Run as a program it prints what comes:
    adze-augment -d data | scripts/adze_stream.py
"""
import json
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4",
          "I8": "i1", "U8": "u1", "BOOL": "?"}


def exactly(f, n):
    data = f.read(n)
    if len(data) != n:
        raise EOFError(f"stream ends after {len(data)} of {n} bytes")
    return data


def frames(f):
    """Yield (metadata, {name: array}) until the end frame that ends the file."""
    kind = "end"
    while start := f.read(1):
        size = int.from_bytes(start + exactly(f, 7), "little")
        head = json.loads(exactly(f, size))
        meta = head.pop("__metadata__", {})
        data = exactly(f, max((t["data_offsets"][1] for t in head.values()),
                              default=0))
        kind = meta.get("adze.kind")
        if kind == "frame":
            yield meta, {
                name: np.frombuffer(data[slice(*t["data_offsets"])],
                                    DTYPES[t["dtype"]]).reshape(t["shape"])
                for name, t in head.items()}
    if kind != "end":
        raise EOFError("stream has no end frame: its writer died")


if __name__ == "__main__":
    try:
        for m, tensors in frames(sys.stdin.buffer):
            print(m["epoch"], m["layout"], *(f"{k} {v.dtype}{list(v.shape)}"
                                             for k, v in tensors.items()))
    except EOFError as e:
        sys.exit(f"adze_stream.py: {e}")
