#!/usr/bin/env python3
"""streams.py -- Python reads frames from a pipe.
SPDX-License-Identifier: MIT
"""
import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
from PIL import Image
from tap import adze, ok, top

sys.path.insert(0, os.path.join(top, "scripts"))
import adze_stream

adze("adze-synth -q -n 15 -O d.tar")
adze("adze-augment -q -d d.tar --policy='[]' -b 32 --epochs=2 -O s.frames")
pipe = subprocess.Popen("adze-augment -q -d d.tar --policy='[]' -b 32 --epochs=2", shell=True, stdout=subprocess.PIPE)
frames = list(adze_stream.frames(pipe.stdout))
ok(pipe.wait() == 0, "adze-augment writes to a pipe")
ok([t["image"].shape[0] for _, t in frames] == 2 * [32, 32, 32, 32, 22], "two epochs of five frames")
ok([int(m["epoch"]) for m, _ in frames] == 5 * [0] + 5 * [1], "which say their epoch")
ok(all(t["image"].dtype == np.uint8 and t["target"].dtype == np.int64 for _, t in frames), "pixels u8, targets i64")
ok(len(json.loads(frames[0][0]["names"])) == 10, "the first names the classes")

with tarfile.open("d.tar") as tar:
    pictures = [np.array(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB")) for m in tar if m.isfile()]
pixels = np.concatenate([t["image"] for _, t in frames])
ok(np.array_equal(pixels[:150], np.stack(pictures)), "the pixels are those of the pictures")
ok(np.array_equal(pixels[:150], pixels[150:]), "without operators the epochs are the same")
target = np.concatenate([t["target"] for _, t in frames])[:150]
ok(np.array_equal(np.bincount(target), 10 * [15]), "15 pictures of each class")

whole = open("s.frames", "rb").read()
twice = list(adze_stream.frames(io.BytesIO(whole + whole)))
ok(len(twice) == 2 * len(frames), "streams can be joined")
for cut in 5, 1000, len(whole) - 1:
    try:
        list(adze_stream.frames(io.BytesIO(whole[:cut])))
        ok(False, f"a stream cut after {cut} bytes")
    except ValueError as e:
        ok(True, f"a stream cut after {cut} bytes: {e}")
