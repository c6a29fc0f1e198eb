"""Rollouts on a running server: shadow, canary, promotion, automatic and repeated rollback.

usage: rollout_test.py PROGRAM PROJECT_ROOT
"""

import json
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from server import Server, write_adder  # noqa: E402

PROGRAM = sys.argv[1]
QUICK = {
    "interval_ms": 150,
    "min_requests": 3,
    "max_weight": 50,
    "step_weight": 25,
    "max_latency_ratio": 1000,
}
# The same top answer as version 1 for every row that the tests send, and another one.
FLIPPED = """graph %main(%x: float32[n,4]) -> (%y) {
  %m: float32[1] = {-1.0}
  %y: float32[n,4] = Mul(%x, %m)
}
"""


class Rollout(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.repository = pathlib.Path(self.folder.name) / "repository"
        write_adder(self.repository, "net")
        self.server = Server(PROGRAM, self.repository, "--model-control")
        self.addCleanup(lambda: self.server.process.poll() is None and self.server.end())

    def add_worse(self):
        folder = self.repository / "net" / "2"
        folder.mkdir()
        (folder / "model.txt").write_text(FLIPPED)

    def begin(self, **settings):
        status, state = self.server.ask(
            "POST", "/v2/repository/models/net/rollout", {"candidate": "2", **QUICK, **settings}
        )
        self.assertEqual(status, 200, state)
        return state

    def state(self):
        return self.server.ask("GET", "/v2/repository/models/net/rollout")[1]

    def drive(self, until, most=4000):
        """Sends requests of many clients until a stage is reached; the versions that answered."""
        seen = []
        for i in range(most):
            version, rows = self.server.infer(
                "net", [[0.0, 1.0, 0.0, 3.0]], routing_key=f"client-{i % 50}"
            )
            self.assertEqual(len(rows), 1)
            seen.append((i % 50, version))
            if i % 10 == 0 and self.state()["stage"] in until:
                return seen
        self.fail(f"still {self.state()}")
        return None

    def test_an_equal_candidate_is_promoted(self):
        write_adder(self.repository, "net", version=2, bias=1.0)
        self.assertEqual(self.begin()["stage"], "shadow")
        self.drive({"canary", "promoted"})
        self.assertLessEqual(self.state()["shadow"]["requests"], 300)
        seen = self.drive({"promoted"})
        # Sticky: once a client has seen the candidate it stays there.
        moved = set()
        for client, version in seen:
            self.assertFalse(client in moved and version == "1")
            if version == "2":
                moved.add(client)
        self.assertEqual(self.server.infer("net", [[0, 0, 0, 0]])[0], "2")
        record = json.loads((self.repository / "net" / "rollout.json").read_text())
        self.assertEqual(record["service"], "2")

    def test_a_worse_candidate_never_answers_and_stays_out(self):
        self.add_worse()
        self.begin()
        seen = self.drive({"rolled back"})
        self.assertEqual({version for _, version in seen}, {"1"})
        state = self.state()
        self.assertLessEqual(state["shadow"]["requests"], 300)
        self.assertIn("top answers differ", state["reason"])
        # Rolling back again changes nothing, and a restart serves the version that was kept.
        for _ in range(2):
            status, again = self.server.ask(
                "POST", "/v2/repository/models/net/rollout/stop", {"reason": "x"}
            )
            self.assertEqual(status, 200)
            self.assertEqual(again["reason"], state["reason"])
        self.server.end()
        self.server = Server(PROGRAM, self.repository)
        self.assertEqual(self.server.infer("net", [[0, 0, 0, 0]])[0], "1")

    def test_a_canary_can_be_stopped(self):
        write_adder(self.repository, "net", version=2, bias=1.0)
        self.begin(
            shadow=False, interval_ms=50, max_weight=100, step_weight=25, min_requests=1000000
        )
        until = time.monotonic() + 20
        while self.state()["weight"] == 0 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(self.state()["weight"], 25)
        versions = {
            self.server.infer("net", [[0, 0, 0, 0]], routing_key=f"client-{i}")[0]
            for i in range(200)
        }
        self.assertEqual(versions, {"1", "2"})
        stopped = self.server.ask("POST", "/v2/repository/models/net/rollout/stop")[1]
        self.assertEqual(stopped["stage"], "rolled back")
        versions = {
            self.server.infer("net", [[0, 0, 0, 0]], routing_key=f"client-{i}")[0]
            for i in range(200)
        }
        self.assertEqual(versions, {"1"})

    def test_refuses_orders_that_cannot_work(self):
        for order, status in (
            ({}, 400),
            ({"candidate": "1"}, 409),
            ({"candidate": "x"}, 400),
            ({"candidate": "7"}, 400),
            ({"candidate": "2", "step_weight": 0}, 400),
            ({"candidate": "2", "speed": 1}, 400),
        ):
            self.assertEqual(
                self.server.ask("POST", "/v2/repository/models/net/rollout", order)[0],
                status,
                order,
            )
        self.assertEqual(self.server.ask("GET", "/v2/repository/models/net/rollout")[0], 404)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
