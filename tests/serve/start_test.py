"""`edgewright serve` where no server can be started.

usage: start_test.py PROGRAM
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1]


class Start(unittest.TestCase):
    def test_a_build_without_the_server_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder) / "edgewright"
            shutil.copy(PROGRAM, alone)
            done = subprocess.run([alone, "serve", folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("has no server", done.stderr)

    def test_the_program_loads_no_network_library(self):
        # What would make every other command start later.
        needed = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
        for library in ("libgrpc", "libprometheus", "libssl"):
            self.assertNotIn(library, needed)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
