"""Precision by the difficulty of the input: what int8/int4@E costs in quality and saves in energy.

usage: difficulty_test.py PROGRAM SHARED_FOLDER

novel-7m on a text that it was not trained on, every token with the weights that `generate` would
take for it, keys and values being one cache. Prints perplexity, the share of tokens that the light
weights compute, what as many tokens chosen at random would lose in expectation (that share of what
int4 alone loses), and the energy of a token on a phone (power simulate of either, by share). Ends
with exit code 1 when a mixture is none: its perplexity not between those of int8 and int4, or more
nats giving less to int4.
"""

import json
import math
import pathlib
import subprocess
import sys

PROGRAM, SHARED = sys.argv[1], pathlib.Path(sys.argv[2])
FOLDER = SHARED / "zoo/novel"
MODEL, TEXT = FOLDER / "novel-7m", FOLDER / "novels-dev.txt"
DEVICE = "sm8250"
WINDOWS = 64
# Nats: never, a few places between, always but for the first token of a window.
THRESHOLDS = ("0", "0.5", "1", "1.5", "2", "3", "4", "1e9")


def document(*words):
    done = subprocess.run([PROGRAM, *map(str, words), "--json", "-"], capture_output=True,
                          text=True, check=False, timeout=1800)
    if done.returncode != 0:
        raise SystemExit(f"{words}: {done.stderr}")
    return json.loads(done.stdout)


def energy_mj(precision):
    return document("power", "simulate", MODEL, "--device", DEVICE, "--precision", precision,
                    "--workload", "single", "--skin-limit", 0)["energy_mj_per_token"]


def main():
    if not MODEL.is_dir():
        print(f"no {MODEL}")
        sys.exit(77)
    energy = {precision: energy_mj(precision) for precision in ("int8", "int4")}
    runs = []
    for nats in THRESHOLDS:
        found = document("perplexity", MODEL, TEXT, "--windows", WINDOWS, "--precision",
                         f"int8/int4@{nats}", "--threads", 1)
        runs.append((nats, found.get("light_tokens", 0) / found["tokens"], found["perplexity"]))
    first, last = runs[0], runs[-1]
    whole_loss = math.log(last[2] / first[2])
    wrong = []
    print(f"{MODEL.name}, {WINDOWS} windows of {TEXT.name}, energy on {DEVICE}")
    for nats, share, perplexity in runs:
        loss = math.log(perplexity / first[2])
        chance = whole_loss * share / last[1]
        saved = share * (1 - energy["int4"] / energy["int8"])
        print(f"     below {nats:>3} nats: {share:6.1%} of the tokens by int4, perplexity "
              f"{perplexity:.3f} ({math.expm1(loss):+.2%}; as many at random "
              f"{math.expm1(chance):+.2%}), {saved:.1%} less energy a token than int8", flush=True)
        # A tenth of a percent is what single tokens make of it either way.
        if not -1e-3 <= loss <= whole_loss + 1e-3:
            wrong.append(nats)
    shares = [share for _, share, _ in runs]
    if wrong or shares != sorted(shares):
        raise SystemExit(f"no mixture below {', '.join(wrong)} nats, shares {shares}")


if __name__ == "__main__":
    main()
