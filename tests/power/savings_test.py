"""What the policies save, by the simulator, on four devices and two models.

usage: savings_test.py PROGRAM SHARED_FOLDER

Prints every figure and ends with exit code 1 when a goal is missed that was reached before.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

PROGRAM, SHARED = sys.argv[1], pathlib.Path(sys.argv[2])
DEVICES = ("sdm845", "sm8250", "gs101", "rk3588")
NOVEL = SHARED / "zoo/novel/novel-7m"
# A shape without weights; beside it the profile of NOVEL, as main() writes it.
MODELS = ["llama-1.1b"]
# Goals known to be missed, with the reason; one that is reached has to be struck off.
KNOWN_MISSES = set()
missed, unexpected = [], []


def simulate(model, device, *words):
    done = subprocess.run(
        [PROGRAM, "power", "simulate", str(model), "--device", device, *map(str, words), "--json",
         "-"], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{model} {device} {words}: {done.stderr}")
    return json.loads(done.stdout)["runs"]


def goal(name, reached, text):
    print(f"{'    ' if reached else 'MISS'} {name}: {text}", flush=True)
    if not reached:
        missed.append(name)
    if reached == (name in KNOWN_MISSES):
        unexpected.append(name)


def core_energy(run):
    return sum(joules for part, joules in run["energy_j"].items() if part.startswith("cluster"))


def name_of(model):
    return pathlib.Path(model).name.removesuffix(".json")


def against_highest(model, device):
    """Batch 1: energy and time to the last token of single requests."""
    words = ("--workload", "single", "--skin-limit", 0, "--slack", 1.2, "--policy", "highest",
             "--policy", "phase-aware")
    highest, ours = simulate(model, device, *words)
    saved = 1 - ours["energy_mj_per_token"] / highest["energy_mj_per_token"]
    later = ours["request_max_us"] / highest["request_max_us"] - 1
    goal(f"{name_of(model)} on {device}, highest", saved >= 0.30 and later <= 0.20,
         f"{saved:.1%} less energy than highest, "
         f"{later:+.1%} latency")


def against_schedutil(model, device):
    """Poisson arrivals at a fifth of what the device can serve, at equal 95th percentile."""
    busy = simulate(model, device, "--workload", "single", "--skin-limit", 0, "--policy",
                    "highest")[0]
    rate = 0.2e6 / busy["request_max_us"]
    # The 95th percentile wants 90 requests at the least (MLPerf early stopping).
    seconds = max(min(3600, 2000 / rate), 150 / rate)
    words = ("--workload", "poisson", "--rate", rate, "--seconds", seconds, "--skin-limit", 0)
    reference, ours = simulate(model, device, *words, "--policy", "schedutil", "--policy",
                               "phase-aware")
    # schedutil is a little late to speed up; what it loses by that is spent on lower frequencies.
    for step in range(1, 40):
        slower = simulate(model, device, *words, "--slack", 1 + 0.02 * step, "--policy",
                          "phase-aware")[0]
        if slower["request_p95_us"] > reference["request_p95_us"]:
            break
        if slower["energy_mj_per_token"] < ours["energy_mj_per_token"]:
            ours = slower
    saved = 1 - ours["energy_mj_per_token"] / reference["energy_mj_per_token"]
    later = ours["request_p95_us"] / reference["request_p95_us"] - 1
    cores = 1 - core_energy(ours) / core_energy(reference)
    goal(f"{name_of(model)} on {device}, schedutil", saved >= 0.15 and later <= 0.001
         and ours["requests"] >= 90,
         f"{saved:.1%} less energy than schedutil and EAS ({cores:.1%} in the cores), "
         f"95th percentile {later:+.1%}, {ours['requests']} requests")


def against_step_wise(model, device):
    """An hour without pause: the worst minute under a limit of 40 C at the skin, 60 C at the heat
    sink of a board. step_wise knows nothing of an engine's work: one answer at a time, prompts
    apart. Ours has to gain in two ways by itself: by a batch that grows with the temperature, up to
    four, prompts apart; and one answer at a time, where the engine computes the prompt of the next
    one beside it, as the advice to a real engine says ('beside N'). Printed are also ours with
    neither, with the most that any setting gains then, had it no limit to keep; and what step_wise
    gains with an engine that somebody else has told to go beside."""
    limit = 60 if device == "rk3588" else 40
    words = ("--workload", "continuous", "--seconds", 3600, "--skin-limit", limit)
    reference, allocator, apart = simulate(model, device, *words, "--policy", "schedutil",
                                           "--policy", "ipa", "--policy", "phase-aware")
    told, ours = simulate(model, device, *words, "--batch", "1+", "--policy", "schedutil",
                          "--policy", "phase-aware")
    growing = simulate(model, device, *words, "--batch", "1:4", "--policy", "phase-aware")[0]
    free = simulate(model, device, "--workload", "continuous", "--seconds", 3600, "--skin-limit", 0,
                    "--policy", "highest", "--policy", "phase-aware")

    def gained(run):
        return run["sustained_tokens_per_s"] / max(reference["sustained_tokens_per_s"], 1e-9) - 1

    goal(f"{name_of(model)} on {device}, step_wise",
         min(gained(ours), gained(growing)) >= 0.10
         and max(growing["peak_skin_c"], ours["peak_skin_c"]) <= limit,
         f"sustained {growing['sustained_tokens_per_s']:.2f} tokens/s, {gained(growing):+.1%} "
         f"against step_wise by the batch, {gained(ours):+.1%} by prompts beside decoding (neither "
         f"{gained(apart):+.1%}, of at most {max(map(gained, free)):+.1%} without any limit; "
         f"step_wise told to go beside {gained(told):+.1%}, power allocator "
         f"{gained(allocator):+.1%}), "
         f"skin {ours['peak_skin_c']:.1f}, {growing['peak_skin_c']:.1f} and "
         f"{reference['peak_skin_c']:.1f} C")


def learned(model, device):
    """A learner that knows no model of the device, against the choice that does."""
    words = ("--workload", "continuous", "--seconds", 1800, "--skin-limit", 0, "--slack", 1.2)
    chosen, learner = simulate(model, device, *words, "--policy", "phase-aware", "--policy",
                               "learned")
    energy = learner["energy_mj_per_token"] / chosen["energy_mj_per_token"] - 1
    rate = learner["mean_tokens_per_s"] / chosen["mean_tokens_per_s"] - 1
    print(f"     {name_of(model)} on {device}: learned {energy:+.1%} energy a token, "
          f"{rate:+.1%} tokens/s", flush=True)


def batching(workload):
    """Requests of 32 and 8 tokens within 100 ms, changing rates, novel-7m on sdm845."""
    base = ("--workload", workload, "--rate", 12, "--seconds", 1800, "--skin-limit", 0,
            "--prompt-tokens", 32, "--output-tokens", 8, "--deadline-ms", 100)
    fixed = simulate(MODELS[0], "sdm845", *base, "--policy", "highest")[0]
    textbook = simulate(MODELS[0], "sdm845", *base, "--batch", 8, "--policy", "square-root")[0]

    def ours(batch, wait):
        return simulate(MODELS[0], "sdm845", *base, "--batch", batch, "--batch-wait-ms", wait,
                        "--policy", "phase-aware")[0]

    chosen = ours(8, 30)
    # In hindsight: the best of a grid for this very trace of arrivals.
    grid = [run for batch in (1, 4, 8, 16) for wait in (0, 15, 30, 45, 60)
            if (run := ours(batch, wait))["request_p95_us"] < 100e3]
    oracle = min(run["energy_mj_per_request"] for run in grid)
    saved = 1 - chosen["energy_mj_per_request"] / fixed["energy_mj_per_request"]
    above = chosen["energy_mj_per_request"] / oracle - 1
    p95 = chosen["request_p95_us"] / 1e3
    claims = {claim["percentile"]: claim for claim in chosen["latency_claims"]}
    goal(f"batching, {workload}", p95 < 100 and saved >= 0.25 and above <= 0.10,
         f"95th percentile {p95:.1f} ms, {saved:.1%} less energy a request than batch 1 "
         f"at the highest frequency, {above:.1%} above the oracle; the square-root rule saves "
         f"{1 - textbook['energy_mj_per_request'] / fixed['energy_mj_per_request']:.1%}")
    goal(f"claim, {workload}", claims[0.95]["supported"],
         f"{chosen['requests']} requests support the 95th percentile")


def speed():
    start = time.monotonic()
    simulate("llama-1.1b", "sm8250", "--workload", "continuous", "--seconds", 3600, "--policy",
             "phase-aware")
    hour = time.monotonic() - start
    start = time.monotonic()
    subprocess.run([PROGRAM, "power", "plan", "llama-1.1b", "--device", "sm8250", "--precision",
                    "int8,int4", "--batch", "1,2,4,8"], capture_output=True, check=True)
    print(f"     an hour of a phone in {hour:.2f} s, a plan in {time.monotonic() - start:.2f} s "
          "(program start included; measure on a quiet machine)")


def profile_of(model, folder):
    """What `profile` counts of a model's request."""
    document = pathlib.Path(folder) / f"{model.name}.json"
    subprocess.run([PROGRAM, "profile", str(model), "--seconds", "0.2", "--json", str(document)],
                   capture_output=True, check=True, timeout=300)
    return document


def main():
    if not NOVEL.is_dir():
        print(f"no {NOVEL}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        MODELS.insert(0, profile_of(NOVEL, folder))
        check_all()


def check_all():
    for check in (against_highest, against_schedutil, against_step_wise, learned):
        print(check.__doc__)
        for model in MODELS:
            for device in DEVICES:
                check(model, device)
    print(batching.__doc__)
    for workload in ("poisson", "bursts", "day"):
        batching(workload)
    speed()
    print(f"{len(missed)} goals missed")
    if unexpected:
        raise SystemExit(f"not as KNOWN_MISSES says: {', '.join(unexpected)}")


if __name__ == "__main__":
    main()
