"""`split privacy` against Google's dp-accounting: noise of one release, and of many together.

usage: privacy_accounting_test.py PROGRAM, with the Python of `tools/setup --privacy`
"""

import json
import math
import subprocess
import sys

try:
    from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
    from dp_accounting.pld import privacy_loss_distribution
    from dp_accounting.rdp import RdpAccountant
except ImportError as missing:
    print(f"skipped: {missing}; run tools/setup --privacy")
    sys.exit(77)

PROGRAM = sys.argv[1]
BOUNDS = [
    (epsilon, delta) for epsilon in (0.1, 0.5, 1, 2, 4, 8, 10) for delta in (1e-5, 1e-6, 1e-8)
]
RELEASES = [(4, 100, 1e-5), (1, 1, 1e-5), (10, 1000, 1e-6), (2, 7, 1e-6), (20, 50, 1e-8)]
# Their orders are a list, ours the best one: a finer list comes as near as one likes.
ORDERS = [1 + 0.01 * i for i in range(1, 3000)]


def reckon(*words):
    ran = subprocess.run(
        [PROGRAM, "split", "privacy", *map(str, words), "--json", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout[ran.stdout.index("{\n") :])


def delta_of(sigma, epsilon):
    """Balle and Wang, theorem 5, by their library's distribution of losses."""
    from dp_accounting.pld.privacy_loss_mechanism import GaussianPrivacyLoss

    return GaussianPrivacyLoss(standard_deviation=sigma).get_delta_for_epsilon(epsilon)


def main():
    worst_delta = worst_exact = worst_rdp = 0
    for epsilon, delta in BOUNDS:
        sigma = reckon("--epsilon", epsilon, "--delta", delta)["analytic_sigma"]
        worst_delta = max(worst_delta, abs(delta_of(sigma, epsilon) / delta - 1))
    for sigma, count, delta in RELEASES:
        ours = reckon("--sigma", sigma, "--releases", count, "--delta", delta)
        # Releases of Gaussian noise are one of less noise; their distribution of it is not gridded.
        together = sigma / math.sqrt(count)
        back = delta_of(together, ours["exact_epsilon"])
        worst_exact = max(worst_exact, abs(back / delta - 1))
        theirs = RdpAccountant(ORDERS)
        theirs.compose(SelfComposedDpEvent(GaussianDpEvent(sigma), count))
        worst_rdp = max(worst_rdp, abs(ours["rdp_epsilon"] / theirs.get_epsilon(delta) - 1))
        grid = privacy_loss_distribution.from_gaussian_mechanism(
            sigma, value_discretization_interval=1e-3
        ).self_compose(count)
        upper = grid.get_epsilon_for_delta(delta)
        if not ours["exact_epsilon"] <= upper * (1 + 1e-3):
            print(f"sigma {sigma}, {count} releases: {ours['exact_epsilon']}, theirs {upper}")
            return 1
    print(
        f"{len(BOUNDS)} bounds: their delta of our sigma is within {worst_delta:.1e}; "
        f"{len(RELEASES)} compositions: exact within {worst_exact:.1e} of delta, "
        f"RDP epsilon within {worst_rdp:.1e} of theirs"
    )
    return 0 if worst_delta < 1e-5 and worst_exact < 1e-5 and worst_rdp < 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
