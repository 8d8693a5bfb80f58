"""tap.py -- what the tests beside it need: TAP, a scratch folder, commands.
SPDX-License-Identifier: MIT

    from tap import adze, ok
    ok(adze("adze-synth -q -n 2 -O d.tar") == "", "draws")

Each runs in an empty scratch folder; `top' is the source tree, `data' the
pictures that are not in it.
"""
import atexit
import os
import shutil
import subprocess
import tempfile

top = os.getcwd()
data = os.path.join(os.path.dirname(top), "shared", "data")
have_data = os.path.isdir(data)
work = tempfile.mkdtemp(prefix="adze-interop.")
os.chdir(work)
count = 0


@atexit.register
def end():
    print(f"1..{count}", flush=True)
    os.chdir(top)
    shutil.rmtree(work, ignore_errors=True)


def ok(good, name, *why):
    global count
    count += 1
    print("ok" if good else "not ok", count, "-", name, flush=True)
    for line in () if good else why:
        print("#", line, flush=True)
    return good


def skip(name, why):
    global count
    count += 1
    print("ok", count, "-", name, "# SKIP", why, flush=True)


def adze(line, binary=False):
    """What a pipeline writes to standard output; RuntimeError if one of it fails."""
    run = subprocess.run(["bash", "-o", "pipefail", "-c", line], stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode:
        raise RuntimeError(f"status {run.returncode} of: {line}\n{run.stderr.decode()}")
    return run.stdout if binary else run.stdout.decode()
