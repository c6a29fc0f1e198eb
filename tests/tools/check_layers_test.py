"""Plants every kind of violation in a small tree and expects tools/check_layers.py to find it."""

import importlib.util
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("check_layers", ROOT / "tools" / "check_layers.py")
check_layers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_layers)

LAYERS = """# room: may include
base:
tensor: base
graph: base tensor
formats: base
kernels: base
"""


class CheckLayersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("src/layers.txt", LAYERS)
        self.write("src/base/text.h", "#include <string>\n")
        self.write("src/graph/graph.cc", '#include "base/text.h"\n#include "graph/graph.h"\n')
        self.write("include/edgewright/tensor.h", '#include "edgewright/dtype.h"\n')
        self.write("cli/main.cc", '#include "edgewright/tensor.h"\n#include <CLI/CLI.hpp>\n')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def findings(self):
        return [(f.rule, f.path, f.line) for f in check_layers.check(self.root)]

    def expect(self, *findings):
        self.assertEqual(self.findings(), list(findings))

    def test_clean_tree(self):
        self.expect()

    def test_include_down_the_list(self):
        self.write("src/base/text.cc", '// why\n#include "graph/graph.h"\n')
        self.expect(("layer", "src/base/text.cc", 2))

    def test_include_of_room_not_allowed(self):
        self.write("src/kernels/conv.cc", '#  include "tensor/tensor.h"\n')
        self.expect(("layer", "src/kernels/conv.cc", 1))

    def test_command_line_and_python_see_public_headers_only(self):
        self.write("cli/commands/run.cc", '#include "graph/graph.h"\n')
        self.write("python/register_graph.cc", '#include "base/text.h"\n')
        self.expect(
            ("layer", "cli/commands/run.cc", 1), ("layer", "python/register_graph.cc", 1)
        )

    def test_public_header_sees_no_room(self):
        self.write("include/edgewright/graph.h", '#include "graph/graph.h"\n')
        self.expect(("layer", "include/edgewright/graph.h", 1))

    def test_tests_and_benches_are_free(self):
        self.write("tests/faults/faults_test.cc", '#include "graph/graph.h"\n#include <zip.h>\n')
        self.write("bench/kernels/conv_bench.cc", "#include <hwy/highway.h>\n")
        self.expect()

    def test_siblings_are_strangers(self):
        self.write("src/formats/onnx/read.cc", '#include "formats/npy/npy.h"\n')
        self.write("src/formats/npy/npy.cc", '#include "formats/path.h"\n')
        self.expect(("sibling", "src/formats/onnx/read.cc", 1))

    def test_third_party_header_outside_its_folder(self):
        self.write("src/formats/onnx/read.cc", "#include <google/protobuf/message.h>\n")
        self.write("src/graph/read.cc", "#include <onnx/onnx_pb.h>\n")
        self.write("src/graph/write.cc", '#include "hwy/highway.h"\n')
        self.expect(
            ("third-party", "src/graph/read.cc", 1), ("third-party", "src/graph/write.cc", 1)
        )

    def test_own_header_beside_the_source_is_not_third_party(self):
        self.write("src/graph/grpc_names.h", "")
        self.write("src/graph/names.cc", '#include "grpc_names.h"\n')
        self.expect()

    def test_room_missing_from_the_list(self):
        self.write("src/power/energy.cc", "")
        self.expect(("layers", "src/power", 1))

    def test_list_out_of_order(self):
        self.write("src/layers.txt", "base: tensor\ntensor:\ngraph: base tensor\nbase:\n")
        self.expect(("layers", "src/layers.txt", 1), ("layers", "src/layers.txt", 4))

    def test_file_names(self):
        self.write("src/base/TextFile.cc", "")
        self.write("src/base/text-file.cc", "")
        self.write("src/base/math-inl.h", "")
        self.write("python/edgewright/__init__.py", "")
        self.expect(("name", "src/base/TextFile.cc", 1), ("name", "src/base/text-file.cc", 1))

    def test_words_that_say_nothing(self):
        self.write("src/base/string_utils.h", "")
        self.write("src/graph/common/order.h", "")
        self.write("src/graph/newton.h", "")
        self.expect(("word", "src/base/string_utils.h", 1), ("word", "src/graph/common/order.h", 1))

    def test_sizes(self):
        self.write("src/base/long.cc", "\n" * 601)
        self.write("src/base/long.h", "\n" * 301)
        self.write("src/base/wide.cc", "\n" + "x" * 101 + "\n" + "é" * 100 + "\n")
        self.write("cli/main.cc", "\n" * 101)
        self.expect(
            ("file-length", "src/base/long.cc", 601),
            ("file-length", "src/base/long.h", 301),
            ("line-length", "src/base/wide.cc", 2),
            ("file-length", "cli/main.cc", 101),
        )

    def test_raw_strings_may_be_wide(self):
        wide = "x" * 101
        verbatim = f'auto a = R"(\n{wide}\n)";\nauto b = R"-({wide})-";\n'
        self.write("src/base/graph_test.cc", verbatim)
        self.expect()
        self.write("src/base/graph_test.cc", f'auto a = R"(\n)";\nauto b = "{wide}";\n')
        self.expect(("line-length", "src/base/graph_test.cc", 3))

    def test_a_type_has_one_definition(self):
        text = "namespace edgewright {\nstruct Shape {\n};\n}  // namespace edgewright\n"
        inner = text.replace("struct", "namespace {\nstruct").replace("};", "};\n}  // namespace")
        self.write("src/base/shape.h", text)
        self.write("src/kernels/shape.h", text.replace("edgewright", "edgewright::kernels"))
        self.write("src/kernels/shape.cc", inner)
        self.write("src/tensor/shape.h", text)
        self.expect(("one-definition", "src/tensor/shape.h", 2))

    def test_too_many_public_headers(self):
        for number in range(12):
            self.write(f"include/edgewright/part{number}.h", "")
        self.expect(("public-headers", "include", 1))

    def test_loose_ends(self):
        self.write("src/base/text.cc", "// TODO: later\n")
        self.expect(("loose-end", "src/base/text.cc", 1))

    def test_exceptions_excuse_and_only_shrink(self):
        self.write("src/base/string_utils.h", "")
        self.write("tools/house_exceptions.txt", "# why\nword src/base/string_utils.h  # old\n")
        self.expect()
        lines = "word src/base/gone.h\nword src/base/string_utils.h\n"
        self.write("tools/house_exceptions.txt", lines)
        self.expect(("exception", "tools/house_exceptions.txt", 1))


if __name__ == "__main__":
    unittest.main()
