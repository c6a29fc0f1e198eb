#!/usr/bin/env python3
"""What a cut model does when link and server fail: every request is answered within its deadline or
fails clearly, none is lost or answered twice, and within two seconds after the fault has gone the
server answers again.

usage: faults_test.py EDGEWRIGHT ROOT LINK_EMULATOR
"""

import array
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM, ROOT, EMULATOR = sys.argv[1:4]
MODEL = f"{ROOT}/examples/models/resnet20.onnx"
STUB = pathlib.Path(__file__).with_name("stub_server.py")
INTERVAL_MS, DEADLINE_MS = 40, 400
FAULT_S, REST_S = 4, 4  # how long a fault lasts, and what is looked at after it


class Link:
    def __init__(self, port):
        self.process = subprocess.Popen([EMULATOR, str(port), "up-mbit-s=20", "down-mbit-s=20",
                                         "delay-ms=3"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline().split()[1])}"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().startswith("ok"), line

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


class Server:
    def __init__(self, repository):
        self.repository = repository
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start(repository)

    def start(self, repository, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, STUB, repository, PROGRAM, "--port", str(self.port), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready")

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def restart(self, *arguments, repository=None):
        self.kill()
        self.start(repository or self.repository, *arguments)

    def signal(self, what):
        os.kill(self.process.pid, what)


def data_file(folder):
    """One sample for all requests, which the small server computes once."""
    folder.mkdir()
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    values = array.array("f", [(i * 37 % 101 - 50) / 50 for i in range(3072)])
    (folder / "input.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
                                       + header.encode() + values.tobytes())
    return folder


def play(work, data, link, begin, end):
    """Runs requests, has the fault begin and end; gives the report and both times in its clock."""
    report = work / "run.json"
    report.unlink(missing_ok=True)
    count = int(1e3 * (2 + FAULT_S + REST_S + 2) / INTERVAL_MS)
    running = subprocess.Popen(
        [PROGRAM, "split", "run", MODEL, "--server", link.url, "--cut", "input", "--data", data,
         "--requests", str(count), "--interval-ms", str(INTERVAL_MS), "--deadline-ms",
         str(DEADLINE_MS), "--json", report],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = running.stderr.readline()
    assert said == "ready\n", said + running.stderr.read()
    started = time.monotonic()
    time.sleep(2)
    begin()
    begun = 1e3 * (time.monotonic() - started)
    time.sleep(FAULT_S)
    end()
    ended = 1e3 * (time.monotonic() - started)
    out, errors = running.communicate(timeout=120)
    assert running.returncode in (0, 1), out + errors
    return json.loads(report.read_text()), begun, ended


def main():
    good = True
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        subprocess.run([PROGRAM, "split", "plan", MODEL, "--device", "1GFLOP/s", "--server",
                        "100GFLOP/s", "--bandwidth-mbit-s", "20", "-o", work / "halves"],
                       check=True, capture_output=True)
        server = Server(work / "halves" / "repository")
        empty = work / "empty"
        empty.mkdir()
        link = Link(server.port)
        data = data_file(work / "data")
        faults = (
            ("link drops", lambda: link.say("state=down"), lambda: link.say("state=up")),
            ("30 % loss", lambda: link.say("loss=0.3"), lambda: link.say("loss=0")),
            ("server killed", server.kill, server.restart),
            ("server hangs", lambda: server.signal(signal.SIGSTOP),
             lambda: server.signal(signal.SIGCONT)),
            ("wrong version", lambda: server.restart(repository=empty), server.restart),
            ("10 times slower", lambda: server.restart("--fault", "slow", "--delay-ms", "300"),
             server.restart),
        )
        for name, begin, end in faults:
            report, begun, ended = play(work, data, link, begin, end)
            good = check(name, report, begun, ended) and good
        link.stop()
        server.kill()
    print("every request answered once, in time, and the server back within 2 s" if good
          else "NOT every request answered once, in time, and the server back within 2 s")
    return 0 if good else 1


def check(name, report, begun, ended):
    timeline = report["timeline"]
    answered = (report["answered_by_server"] + report["answered_by_device"]
                + report["resumed_on_device"])
    during = [row for row in timeline if begun <= row["arrived_ms"] < ended]
    by_server = [row["arrived_ms"] + row["latency_ms"] for row in timeline
                 if row["by"] == "server" and row["arrived_ms"] >= ended]
    recovery_ms = min(by_server) - ended if by_server else float("inf")
    worst_ms = max(row["latency_ms"] for row in timeline)
    fits = (answered == report["requests"] == len(timeline) and report["failed"] == 0
            and report["late"] == 0 and recovery_ms <= 2000)
    print(f"{name:16} {report['requests']} requests, {len(during)} during the fault: "
          f"{report['answered_by_server']} by the server, {report['answered_by_device']} by the "
          f"device, {report['resumed_on_device']} resumed, {report['failed']} failed, "
          f"{report['late']} late, {report['dropped_answers']} answers dropped; longest "
          f"{worst_ms:.0f} of {DEADLINE_MS} ms; server again after {recovery_ms:.0f} ms "
          f"{'ok' if fits else 'MISSED'}", flush=True)
    return fits


if __name__ == "__main__":
    sys.exit(main())
