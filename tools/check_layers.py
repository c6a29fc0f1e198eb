#!/usr/bin/env python3
"""Checks the plan of the house: who may include whom, and how files are named and sized.

usage: tools/check_layers.py [--root FOLDER]

src/layers.txt lists the rooms of src/ in the order in which data flows, one `room: dep dep ...` a
line. tools/house_exceptions.txt excuses single findings, one `rule path` a line; a line that
excuses nothing is itself a finding, so that the list only shrinks.

Prints one `path:line: rule: message` for each finding; exit code 1 when there is any.
"""

import argparse
import dataclasses
import pathlib
import re
import sys

SOURCE_FOLDERS = ("include", "src", "cli", "python", "tests", "bench", "examples", "tools", "cmake",
                  "web")
SOURCE_SUFFIXES = (".h", ".cc", ".py", ".sh", ".cmake", ".js", ".css")
MAX_LINES = {".h": 300}
MAX_LINES_ELSEWHERE = 600
MAX_COLUMNS = 100
MAX_PUBLIC_HEADERS = 12
MAX_MAIN_LINES = 100
# Words that say nothing of what a file holds.
EMPTY_WORDS = {
    "common", "fast", "helper", "helpers", "manager", "naive", "new", "util", "utils", "v2",
}
# "-inl.h" is what Highway's users call a header that is compiled once per instruction set.
SNAKE_CASE = re.compile(r"(__init__|__main__|[a-z0-9]+(_[a-z0-9]+)*(-inl(?=\.h$))?)\.[a-z]+")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
RAW_STRING = re.compile(r'R"([^\s()\\]*)\(.*?\)\1"', re.DOTALL)
NAMESPACE = re.compile(r"namespace ([\w:]*) ?\{$")
TYPE = re.compile(r"(?:struct|class|enum|enum class) (\w+)(?: final)?(?: : ?[^;{]*)? ?\{")
LOOSE_END = re.compile(r"\b(TODO|FIXME|XXX)\b")

# Headers of other projects, and the only folders that may include them. Tests and benches, which
# check one thing against another, are free.
THIRD_PARTY = (
    ("google/protobuf/", ("src/formats/onnx", "src/serve/grpc")),
    ("onnx/", ("src/formats/onnx",)),
    ("zip.h", ("src/formats/npy",)),
    ("pugixml", ("src/formats/openvino",)),
    ("flatbuffers/", ("src/formats/tflite",)),
    ("nlohmann/", ("src/base",)),
    ("simdjson", ("src/runtime",)),
    ("boost/math/", ("src/verify",)),
    ("CLI/", ("cli",)),
    ("hwy/", ("src/kernels",)),
    ("blosc", ("src/split/codec",)),
    ("sodium", ("src/base", "src/split/privacy")),
    ("toml++/", ("src/device",)),
    ("libfdt", ("src/device",)),
    ("dnnl", ("src/kernels",)),
    ("oneapi/dnnl", ("src/kernels",)),
    ("pcre2.h", ("src/llm",)),
    ("utf8proc.h", ("src/llm",)),
    ("openvino/", ("src/runtime/backends",)),
    ("httplib", ("src/serve",)),
    ("grpc", ("src/serve/grpc",)),
    ("inference.", ("src/serve/grpc",)),
    ("prometheus/", ("src/serve/http",)),
    ("boost/asio/", ("src/serve",)),
    ("boost/beast/", ("src/serve",)),
    ("openssl/", ("src/serve",)),
    ("pybind11/", ("python",)),
    ("nanobind/", ("python",)),
    ("benchmark/", ("bench",)),
    ("hwloc.h", ("src/device",)),
    ("sqlite3.h", ("src/profile/trace",)),
    ("capstone/", ("src/profile",)),
)
FREE_FOLDERS = ("tests", "bench")
# Folders whose children know nothing of each other.
FOLDERS_OF_STRANGERS = ("src/formats", "src/runtime/backends")


@dataclasses.dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def read_layers(path):
    """Rooms in order with the rooms each may include, and what is wrong with the list itself."""
    rooms, findings = {}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        room, colon, dependencies = text.partition(":")
        allowed = dependencies.split()
        for dependency in allowed:
            if dependency not in rooms:
                message = f"{room} depends on {dependency}, which is not above it in the list"
                findings.append(Finding("layers", "src/layers.txt", number, message))
        if not colon or room in rooms:
            message = f"expected 'room: dep dep ...' with a room not yet listed, found '{text}'"
            findings.append(Finding("layers", "src/layers.txt", number, message))
        rooms[room] = set(allowed)
    return rooms, findings


def source_files(root):
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCE_SUFFIXES and path.is_file():
                yield path


def in_folder(path, folder):
    return path == folder or path.startswith(folder + "/")


def includes(text):
    """Every include of a source: line number, name, and whether it stands in quotes."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


def check_room_include(path, number, name, rooms):
    """An include of src/ by anything but tests and benches."""
    target = name.split("/")[0]
    if "/" not in name or target not in rooms:
        return None
    parts = path.split("/")
    if parts[0] != "src":
        message = f"{parts[0]}/ may include edgewright/ headers only, found '{name}'"
        return Finding("layer", path, number, message)
    room = parts[1]
    if target != room and target not in rooms.get(room, ()):
        message = f"{room} may not include {target} (src/layers.txt), found '{name}'"
        return Finding("layer", path, number, message)
    for folder in FOLDERS_OF_STRANGERS:
        depth = folder.count("/") + 1
        if not in_folder(path, folder) or not in_folder(f"src/{name}", folder):
            continue
        mine, other = parts[depth], f"src/{name}".split("/")[depth]
        # A file that lies directly in the folder belongs to all of its children.
        if mine != other and "." not in mine and "." not in other:
            message = f"{folder}/{mine} may not include its sibling {other}; move it up the list"
            return Finding("sibling", path, number, message)
    return None


def check_third_party(path, number, name, quoted, root):
    # A quoted name beside the including file is the project's own, whatever it is called.
    if quoted and (root / path).parent.joinpath(name).exists():
        return None
    for prefix, homes in THIRD_PARTY:
        if name.startswith(prefix) and not any(in_folder(path, home) for home in homes):
            message = f"'{name}' may be included in {' and '.join(homes)} only"
            return Finding("third-party", path, number, message)
    return None


def check_includes(path, text, rooms, root):
    if any(in_folder(path, folder) for folder in FREE_FOLDERS):
        return
    for number, name, quoted in includes(text):
        for finding in (
            check_room_include(path, number, name, rooms) if quoted else None,
            check_third_party(path, number, name, quoted, root),
        ):
            if finding:
                yield finding


def check_name(path):
    *folders, name = path.split("/")
    if not SNAKE_CASE.fullmatch(name):
        yield Finding("name", path, 1, f"'{name}' is not snake_case")
    for part in (*folders, name.rsplit(".", 1)[0]):
        for word in sorted(EMPTY_WORDS.intersection(re.split(r"[_.-]", part))):
            yield Finding("word", path, 1, f"'{word}' in a name says nothing of what is inside")


def lines_in_raw_strings(text):
    """Numbers of the lines that a raw string touches: the text of graphs has one node a line."""
    numbers = set()
    for match in RAW_STRING.finditer(text):
        first = text.count("\n", 0, match.start()) + 1
        numbers.update(range(first, first + match.group().count("\n") + 1))
    return numbers


def check_size(path, text):
    lines = text.splitlines()
    verbatim = lines_in_raw_strings(text) if path.endswith((".h", ".cc")) else set()
    limit = MAX_LINES.get(pathlib.PurePosixPath(path).suffix, MAX_LINES_ELSEWHERE)
    if path == "cli/main.cc":
        limit = MAX_MAIN_LINES
    if len(lines) > limit:
        yield Finding("file-length", path, len(lines), f"{len(lines)} lines, at most {limit}")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS and number not in verbatim:
            message = f"{len(line)} columns, at most {MAX_COLUMNS}"
            yield Finding("line-length", path, number, message)


def check_loose_ends(path, text):
    # This file and its test have to spell the words that they look for.
    if path.startswith(("tools/check_layers", "tests/tools/")):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if LOOSE_END.search(line):
            yield Finding("loose-end", path, number, "finish it or write an issue")


def named_types(text):
    """(line, qualified name) of the types that a file gives to its namespace. What stands in an
    unnamed one is the file's own; types within types are the outer one's."""
    scopes = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := NAMESPACE.match(line):
            scopes.append(match.group(1))
        elif line.startswith("}  // namespace") and scopes:
            scopes.pop()
        elif (match := TYPE.match(line)) and all(scopes):
            yield number, "::".join((*scopes, match.group(1)))


def check_definitions(files):
    """Two types of one name in a namespace break the program without a word: the linker keeps the
    functions of either. `files`: (path, text) of sources."""
    homes = {}
    for path, text in files:
        if not path.startswith(("src/", "include/", "cli/")):
            continue
        for number, name in named_types(text):
            if homes.setdefault(name, path) != path:
                message = f"'{name}' is defined in {homes[name]} too; give one another name"
                yield Finding("one-definition", path, number, message)


def check_public_headers(root):
    # The interface of operator libraries, in C, lies beside the folder.
    headers = sorted((root / "include" / "edgewright").rglob("*.h"))
    if len(headers) > MAX_PUBLIC_HEADERS:
        message = f"{len(headers)} public headers, at most {MAX_PUBLIC_HEADERS}"
        yield Finding("public-headers", "include", 1, message)


def check_rooms_exist(root, rooms):
    for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
        if folder.name not in rooms:
            yield Finding("layers", f"src/{folder.name}", 1, "the room is not in src/layers.txt")


def excuse(findings, exceptions_file):
    """Drops the findings that the checked-in list excuses, and reports lines that excuse none."""
    name = exceptions_file.name
    excused = {}
    if exceptions_file.exists():
        for number, line in enumerate(exceptions_file.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                excused[tuple(words)] = number
    used = {(f.rule, f.path) for f in findings}.intersection(excused)
    left = [f for f in findings if (f.rule, f.path) not in used]
    for words, number in excused.items():
        if words not in used:
            message = f"'{' '.join(words)}' excuses nothing; remove the line"
            left.append(Finding("exception", f"tools/{name}", number, message))
    return left


def check(root):
    rooms, findings = read_layers(root / "src" / "layers.txt")
    findings += check_rooms_exist(root, rooms)
    findings += check_public_headers(root)
    sources = []
    for file in source_files(root):
        path = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8")
        findings += check_name(path)
        findings += check_size(path, text)
        findings += check_loose_ends(path, text)
        if file.suffix in (".h", ".cc"):
            findings += check_includes(path, text, rooms, root)
            sources.append((path, text))
    findings += check_definitions(sources)
    return excuse(findings, root / "tools" / "house_exceptions.txt")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=pathlib.Path, default=here)
    findings = check(parser.parse_args().root)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
