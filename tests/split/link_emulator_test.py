#!/usr/bin/env python3
"""How true the link emulator is: throughput within 2 %, round trip within 1 ms.

usage: link_emulator_test.py LINK_EMULATOR [TRACE]
"""

import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

EMULATOR = sys.argv[1]
TRACE = sys.argv[2] if len(sys.argv) > 2 else ""


def serve(listener):
    """Answers every message of a length (4 bytes) and that many bytes with one byte."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection):
    while head := connection.recv(4, socket.MSG_WAITALL):
        left = int.from_bytes(head, "little")
        while left > 0:
            left -= len(connection.recv(min(left, 1 << 16)))
        connection.sendall(b"x")


class Link:
    def __init__(self, port, *settings):
        self.process = subprocess.Popen([EMULATOR, str(port), *settings], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.exchange(1)

    def exchange(self, size):
        start = time.perf_counter()
        self.socket.sendall(size.to_bytes(4, "little") + bytes(size))
        assert self.socket.recv(1) == b"x"
        return time.perf_counter() - start

    def stop(self):
        self.socket.close()
        self.process.stdin.close()
        self.process.wait(timeout=10)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    good = True
    for rate, delay in ((1, 5), (5, 20), (20, 10), (50, 2), (100, 25)):
        link = Link(port, f"up-mbit-s={rate}", f"down-mbit-s={rate}", f"delay-ms={delay}")
        trips = [link.exchange(1) for _ in range(15)]
        # A message of a second: the round trip is taken off.
        size = int(rate * 1e6 / 8 * 0.8)
        trip = statistics.median(trips)
        found = 8e-6 * size / (link.exchange(size) - trip)
        link.stop()
        expected_ms = 2 * delay + 6 * 8e-3 / rate
        error, off_ms = found / rate - 1, 1e3 * trip - expected_ms
        fits = abs(error) <= 0.02 and abs(off_ms) <= 1
        good = good and fits
        print(f"{rate:4} Mbit/s, {delay:2} ms one way: {found:7.2f} Mbit/s ({100 * error:+.2f} %), "
              f"round trip {1e3 * trip:6.2f} ms ({off_ms:+.2f} ms) {'ok' if fits else 'MISSED'}")
    if TRACE and pathlib.Path(TRACE).exists():
        times = [int(line) for line in pathlib.Path(TRACE).read_text().split()]
        link = Link(port, f"trace-up={TRACE}")
        size = 1500 * 1000
        took = link.exchange(size)
        link.stop()
        mean = 1500 * len(times) * 8e-3 / times[-1]
        print(f"trace of {mean:.2f} Mbit/s on average: {8e-6 * size / took:.2f} Mbit/s over "
              f"{took:.1f} s")
    print("every figure within 2 % and 1 ms" if good else "NOT every figure within 2 % and 1 ms")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
