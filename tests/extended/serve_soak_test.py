"""Mixed load on the server: good clients, malformed ones, slow ones, oversized and rude ones.

usage: serve_soak_test.py PROGRAM PROJECT_ROOT [SECONDS]

PROGRAM may be of a build with sanitizers (build-asan/edgewright; build-tsan/edgewright with
TSAN_OPTIONS=suppressions=tests/tsan_suppressions.txt). No good request may be lost, the memory has
to stay flat, and the server has to end with exit code 0.
"""

import json
import pathlib
import random
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server import Server, write_adder  # noqa: E402

PROGRAM = sys.argv[1]
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 60
HEAD = b"POST /v2/models/adder/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
GOOD = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
).encode()


def connect(server, timeout=30):
    return socket.create_connection(("127.0.0.1", server.http_port), timeout=timeout)


def good(server, random_source):
    rows = [
        [random_source.randrange(1000) for _ in range(4)]
        for _ in range(random_source.randrange(1, 4))
    ]
    model = random_source.choice(["adder", "batched"])
    made = server.infer(model, rows)[1]
    if made != [[value + 1 for value in row] for row in rows]:
        raise RuntimeError(f"{rows} became {made}")


def malformed(server, random_source):
    text = bytearray(HEAD % len(GOOD) + GOOD)
    for _ in range(random_source.randrange(1, 6)):
        text[random_source.randrange(len(text))] = random_source.randrange(256)
    with connect(server) as peer:
        peer.sendall(text)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass


def slow(server, random_source):
    """Sends a byte now and then, until the server has had enough."""
    with connect(server) as peer:
        for byte in HEAD % len(GOOD) + GOOD:
            peer.sendall(bytes([byte]))
            time.sleep(random_source.uniform(0.2, 1.0))


def oversized(server, random_source):
    with connect(server) as peer:
        peer.sendall(HEAD % (1 << 33))
        peer.sendall(b"x" * random_source.randrange(1 << 20))
        while peer.recv(4096):
            pass


def disconnecting(server, random_source):
    text = HEAD % len(GOOD) + GOOD
    with connect(server) as peer:
        peer.sendall(text[: random_source.randrange(len(text))])
        if random_source.random() < 0.5:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


CLIENTS = [(good, 4), (malformed, 1), (slow, 4), (oversized, 1), (disconnecting, 1)]


def run(client, server, seed, until, counts, cut_off, failures):
    random_source = random.Random(seed)
    while time.monotonic() < until:
        try:
            counts[client.__name__] += 1
            client(server, random_source)
        except (OSError, RuntimeError, json.JSONDecodeError) as error:
            # A slow client that the server got rid of is what the server is to do.
            cut_off[client.__name__] += 1
            # Only the good ones have a right to an answer.
            if client is good:
                failures.append(str(error))
        if client is good:
            time.sleep(0.002)


def resident_mb(server):
    pages = int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main():
    with tempfile.TemporaryDirectory() as name:
        repository = pathlib.Path(name) / "repository"
        write_adder(repository, "adder")
        write_adder(repository, "batched", config="max_batch_size: 8\ndynamic_batching { }\n")
        # So few connections that all threads which there may be are there before memory is looked
        # at: a sanitizer takes megabytes for each, and what grows after that is lost.
        server = Server(PROGRAM, repository, "--max-body-mb", "4", "--max-connections", "64")
        counts = {client.__name__: 0 for client, _ in CLIENTS}
        cut_off = dict(counts)
        failures = []
        until = time.monotonic() + SECONDS
        threads = [
            threading.Thread(
                target=run, args=(client, server, seed, until, counts, cut_off, failures)
            )
            for client, count in CLIENTS
            for seed in range(count)
        ]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 3)
        early = resident_mb(server)
        for thread in threads:
            thread.join()
        late = resident_mb(server)
        code, report = server.end()
        errors = (pathlib.Path(name) / "errors.txt").read_text()
    print(f"requests begun: {counts}; cut off by the server: {cut_off}; "
          f"good ones lost: {len(failures)} {failures[:3]}")
    print(
        f"memory: {early:.1f} MB after a third, {late:.1f} MB at the end; exit code {code}, "
        f"{report['answered']} answered"
    )
    is_flat = late < early * 1.1 + 4
    has_report = "Sanitizer" in errors or "runtime error" in errors
    if has_report:
        print(errors[-4000:])
    # A run as long as the server's patience must have seen slow clients, and their end.
    saw_slow = counts["slow"] > 0 and (SECONDS < 60 or cut_off["slow"] > 0)
    is_good = code == 0 and not failures and is_flat and not has_report and counts["good"] > 0
    return 0 if is_good and saw_slow else 1


if __name__ == "__main__":
    sys.exit(main())
