"""Plans the measured chain of DADS and compares with the paper's own cuts.

usage: plan_test.py PROGRAM DADS.csv

Hu et al., "Dynamic adaptive DNN surgery for inference acceleration on the edge", INFOCOM 2019,
figures 7 and 8, read off: cuts by bandwidth, and the total time at three bandwidths.
"""

import json
import pathlib
import subprocess
import sys

PROGRAM, PROFILE = sys.argv[1:3]
CROSSINGS = [
    (0.52, "output", "max5"),
    (6.94, "max5", "max4"),
    (13.8, "max4", "max3"),
    (19.5, "max3", "input"),
]
TOTALS_S = {4.0: ("max5", 0.768), 8.0: ("max4", 0.679), 16.1: ("max3", 0.585)}


def plan(bandwidth_mbit_s):
    words = [PROGRAM, "split", "plan", "--profile", PROFILE, "--json", "-"]
    words += ["--bandwidth-mbit-s", str(bandwidth_mbit_s)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, timeout=60).stdout)


def main():
    if not pathlib.Path(PROFILE).exists():
        print(f"skipped: {PROFILE} is not here")
        return 77
    crossings = plan(8)["crossings"]
    assert len(crossings) == len(CROSSINGS), crossings
    for found, (bandwidth, below, above) in zip(crossings, CROSSINGS):
        error = found["bandwidth_mbit_s"] / bandwidth - 1
        print(f"{below} -> {above}: {found['bandwidth_mbit_s']:.3f} Mbit/s ({100 * error:+.2f} %)")
        assert (found["from"], found["to"]) == (below, above), found
        assert abs(error) <= 0.02, found
    for bandwidth, (cut, seconds) in TOTALS_S.items():
        found = plan(bandwidth)
        error = found["latency_us"] / 1e6 / seconds - 1
        print(f"{bandwidth} Mbit/s: {found['latency_us'] / 1e6:.4f} s ({100 * error:+.2f} %)")
        assert found["cut"] == cut, found["cut"]
        assert abs(error) <= 0.011, found["latency_us"]
    assert plan(0.5)["cut"] == "output" and plan(25)["cut"] == "input"
    return 0


sys.exit(main())
