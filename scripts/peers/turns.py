"""turns.py -- programs that take turns: only one of them runs at a time.
SPDX-License-Identifier: MIT

    a, b = Worker("a", ["adze-benchmark", "--turns", ...]), Worker("b", ...)
    take_turns([a, b], 15)
    a.best, a.median        # ms, or None with a.reason

A worker answers each line on its standard input with a line of JSON that has
min_ms and median_ms.  Between its turns it is stopped, with all that it
started: threads that spin while they wait take nothing from the others.
"""
import json
import os
import select
import signal
import statistics
import subprocess
import tempfile
import time

LIMIT = 1800  # seconds for a turn: the first one may compile


class Timed:
    """What has a row for each of its turns, or a reason why it has no more."""

    def __init__(self, name, command, reason=None):
        self.name, self.command, self.reason, self.rows = name, command, reason, []

    def fail(self, said, status):
        """The last line that was SAID is the reason."""
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
        self.reason = self.reason or (lines[-1][:200] if lines else f"ended with status {status}")

    @property
    def best(self):
        return min((r["min_ms"] for r in self.rows), default=None)

    @property
    def median(self):
        return statistics.median(r["median_ms"] for r in self.rows) if self.rows else None


class Worker(Timed):
    """A process that lives as long as there are turns."""

    process = None

    def start(self):
        self.log = tempfile.TemporaryFile()
        # A group of its own in our session: should we be killed, the kernel
        # ends a stopped group that is left alone.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, process_group=0)

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def answer(self):
        """A line, or b"" if there is none."""
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return b""
        if not select.select([self.process.stdout], [], [], LIMIT)[0]:
            self.reason = f"no answer in {LIMIT} s"
            return b""
        return self.process.stdout.readline()

    def turn(self):
        if not self.process:
            self.start()
        self.signal(signal.SIGCONT)
        line = self.answer()
        self.signal(signal.SIGSTOP)
        if line:
            return json.loads(line)
        self.close()
        self.log.seek(0)
        self.fail(self.log.read(), self.process.returncode)
        return None

    def close(self):
        """End it, unless it has ended."""
        if not self.process or self.process.returncode is not None:
            return
        try:
            self.process.wait(0.1)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()


class Whole(Timed):
    """A command that is run from start to end in each turn; memory is the most
    that it had, in MB."""

    memory = 0

    def turn(self):
        start = time.perf_counter()
        p = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        ms = 1e3 * (time.perf_counter() - start)
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode:
            self.fail(said, p.returncode)
            return None
        self.memory = max(self.memory, usage.ru_maxrss / 1024)
        return {"min_ms": ms, "median_ms": ms}

    def close(self):
        pass


def take_turns(workers, rounds):
    """A B C A B C ...; a first turn of each, until it is ready, is not counted."""
    try:
        for n in range(rounds + 1):
            for w in workers:
                try:
                    row = None if w.reason else w.turn()
                except (OSError, ValueError) as e:  # no such program, no such answer
                    w.fail(str(e).encode(), 0)
                    continue
                if row and n:
                    w.rows.append(row)
    finally:
        for w in workers:
            w.close()
