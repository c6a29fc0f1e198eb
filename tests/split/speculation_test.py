#!/usr/bin/env python3
"""Speculation across a link: novel-1m-draft here, novel-31m behind it. The tokens are those of
novel-31m alone, whatever the link is like; drafting goes off where it would lose.

usage: speculation_test.py EDGEWRIGHT ZOO LINK_EMULATOR
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

PROGRAM, ZOO, EMULATOR = sys.argv[1:4]
PROMPT = "It was a cold evening in November, and the old man"
TOKENS = 96


def document(*arguments):
    ran = subprocess.run([PROGRAM, *map(str, arguments), "--json", "-"], capture_output=True,
                         text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout[ran.stdout.index("{\n"):])


def start_server(work):
    version = work / "repository" / "novel-31m" / "1"
    version.mkdir(parents=True)
    (version / "checker").symlink_to(f"{ZOO}/novel-31m")
    (version / "tokenizer.model").symlink_to(f"{ZOO}/tokenizer.model")
    announced = work / "ready.json"
    server = subprocess.Popen([PROGRAM, "serve", work / "repository", "--http-port", "0",
                               "--grpc-port", "0", "--announce", announced],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if announced.exists():
            return server, json.loads(announced.read_text())["http_port"]
        assert server.poll() is None, "the server has ended"
        time.sleep(0.1)
    raise RuntimeError("the server does not begin")


def main():
    if not pathlib.Path(ZOO).exists():
        print(f"skipped: {ZOO} is not here")
        return 77
    good = True
    with tempfile.TemporaryDirectory() as folder:
        expected = document("generate", f"{ZOO}/novel-31m", "--prompt", PROMPT, "--max-tokens",
                            TOKENS)["tokens"]
        server, port = start_server(pathlib.Path(folder))
        for delay_ms in (0, 2, 10, 40):
            link = subprocess.Popen([EMULATOR, str(port), f"delay-ms={delay_ms}"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            url = f"http://127.0.0.1:{int(link.stdout.readline().split()[1])}"
            common = ("split", "speculate", "--draft", f"{ZOO}/novel-1m-draft", "--server", url,
                      "--target", "novel-31m", "--prompt", PROMPT, "--max-tokens", TOKENS)
            plain = document(*common, "--length", 0)
            found = document(*common)
            link.kill()
            equal = plain["tokens"] == found["tokens"] == expected
            # What the figures say must be done: off where they promise nothing. Between, the
            # length only changes for a twentieth.
            obeys = found["length"] == 0 or found["predicted_speedup"] > 1
            obeys = obeys and (found["length"] > 0 or found["predicted_speedup"] < 1.06)
            good = good and equal and obeys
            print(f"round trip {2 * delay_ms} ms (measured {found['round_trip_ms']:.1f}): "
                  f"{'equal' if equal else 'NOT EQUAL'}, drafts of {found['length']}, "
                  f"{found['accepted']} of {found['proposed']} kept, "
                  f"{found['ms_per_token']:.2f} ms a token against {plain['ms_per_token']:.2f} "
                  f"without; draft {found['draft_ms']:.2f} ms, target {found['target_ms']:.2f} ms, "
                  f"predicted {found['predicted_speedup']:.2f} times as quick", flush=True)
        server.terminate()
        server.wait(timeout=30)
    planned = document("split", "speculate", "--draft-ms", 10, "--target-ms", 30, "--acceptance",
                       0.7, "--latency-ms", 80)
    good = good and planned["length"] == 0
    print(f"at 80 ms, acceptance 0.7, 10 and 30 ms a token: drafts of {planned['length']}, best "
          f"{planned['best_speedup']:.2f} times as quick")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
