#!/usr/bin/env python3
"""peers.py -- what scripts/bench-peers rests on: turns, reasons, tables.
SPDX-License-Identifier: MIT

No peer is needed: adze-benchmark and small programs take their places.
"""
import os
import subprocess
import sys
import time

from tap import adze, ok, top

sys.path.insert(0, f"{top}/scripts/peers")
import bench
import report
from turns import Whole, Worker, take_turns

ANSWER = 'import sys\nfor line in sys.stdin: print(\'{"min_ms": %s, "median_ms": %s}\', flush=True)'


def fake(name, low, middle):
    return Worker(name, [sys.executable, "-c", ANSWER % (low, middle)])


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def waits(until):
    end = time.monotonic() + 20
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
    return until()


adze("adze-init -q resnet20 -o depths='[1, 1, 1]' -O m.st && adze-synth -q -n 2 -f folder -O d")
real = Worker("adze", ["adze-benchmark", "--turns", "--json", "--seconds", "0.01", "m.st"])
broken = Worker("onnxruntime", ["sh", "-c", "read line; echo '{\"min_ms\": 1, \"median_ms\": 1}'; read line; echo 'no more' >&2"])
take_turns([real, broken], 3)
ok(len(real.rows) == 3 and 0 < real.best <= real.median, "three rounds are three rows", real.rows, real.reason)
ok(real.process.returncode is not None, "and the process is gone")
ok(broken.rows == [] and broken.best is None and broken.reason == "no more", "one that ends says why", broken.reason)
absent, rubbish = Worker("ncnn", ["./none"]), Worker("ncnn", ["sh", "-c", "read line; echo fast"])
take_turns([absent, rubbish], 2)
ok("none" in absent.reason and "line 1" in rubbish.reason and not absent.rows + rubbish.rows, "nor is there an answer of no program, or of rubbish",
   absent.reason, rubbish.reason)
never = Worker("ncnn", ["false"], "not converted")
take_turns([never], 2)
ok(never.process is None and never.rows == [], "one that cannot run does not")

a, b = fake("adze", 1, 2), fake("ncnn", 4, 5)
a.turn(), b.turn()
ok(waits(lambda: state_of(a.process.pid) == state_of(b.process.pid) == "T"), "between turns all are stopped")
ok(a.turn() and b.turn()["min_ms"] == 4, "and go on")
a.close(), b.close()

code = f"""import os, signal, sys
sys.path.insert(0, '{top}/scripts/peers')
from turns import Worker
w = Worker('x', ['cat'])
w.start()
w.signal(signal.SIGSTOP)
os.waitid(os.P_PID, w.process.pid, os.WSTOPPED | os.WNOWAIT)
print(w.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)"""
left = int(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
ok(waits(lambda: not os.path.exists(f"/proc/{left}") or state_of(left) == "Z"), "a stopped one does not outlive a bench that was killed")

whole = Whole("adze", ["adze-show", "-m", "m.st"])
take_turns([whole], 2)
ok(len(whole.rows) == 2 and 1 < whole.memory < 100, "a whole process has time and memory", whole.rows, whole.memory)
whole = Whole("adze", ["adze-show", "-m", "none.st"])
take_turns([whole], 2)
ok(whole.rows == [] and "cannot open 'none.st'" in whole.reason, "or a reason", whole.reason)

os.environ["PROGRAM"] = "bench-peers"
asked = bench.Asked({"ROUNDS": "2", "ONLY": "infer, resnet50 b1 ncnn"}, bench.WORDS, "15")
ok(asked.has(kind="infer", network="resnet50", batch="b1", type="int8"), "ONLY takes what has its words")
ok(not asked.has(kind="infer", network="resnet50", batch="b8") and not asked.has(kind="data"), "and nothing else")
ok(asked.engines("torch", "ncnn") == ["ncnn"], "of the engines too")
for wrong in {"ONLY": "resnet51"}, {"ROUNDS": "0"}, {"ROUNDS": "x"}, {"PHOTOS": "none"}:
    try:
        bench.Asked(wrong, bench.WORDS, "15")
        said = ""
    except SystemExit as e:
        said = str(e)
    ok(said.startswith("bench-peers: ") and list(wrong)[0] in said, f"refuses {wrong}", said)

table = report.Table("T", ["network", "batch"], ["adze", "ncnn", "torch"], [bench.BEST, bench.MEDIAN])
workers = [fake("adze", 1, 2), fake("ncnn", 4, 5), Worker("torch", ["false"])]
bench.measure(asked, table, ["net", "8"], workers, bench.milliseconds)
bench.without_model(table, ["other", "8"], "not here")
ok(table.rows == [["net", "8", "1.00 / 2.00", "4.00 / 5.00", "-", "0.25", "0.40"], ["other", "8"] + ["-"] * 5], "a row has times and ratios", table.rows)
ok(table.notes == ["net, 8, PyTorch: ended with status 1", "other: not here"], "what is missing is told beneath", table.notes)
lines = table.text().splitlines()
ok(len({line.count("|") for line in lines[2:6]}) == 1 and "- other: not here" in lines, "the page is a table", *lines)
ok(bench.per_second(8)(workers[1]) == "2000 / 1600" and bench.per_second(8)(workers[2]) == "-", "pictures a second")

photos = Worker("adze", bench.adze(asked, "m.st", 0.01, "--load", "d", "-b", "4", "-o", "train.augment=[random_resized_crop, flip]").command)
train = Worker("adze", bench.adze(asked, "m.st", 0.01, "--train", "-b", "4").command)
take_turns([photos, train], 1)
ok(photos.best and not photos.reason, "adze reads photographs as the bench asks it to", photos.reason)
ok(train.best and not train.reason and bench.share(train).endswith(" %"), "and trains", train.reason)
