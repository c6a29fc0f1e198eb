#!/usr/bin/env python3
"""A small server of the Open Inference Protocol, version 2, to test clients against: it runs the
models of a repository in Triton's layout with a runner of its own, or the program's `run`.

usage: stub_server.py REPOSITORY EDGEWRIGHT [--port N] [--fault NAME] [--delay-ms N]

Faults: hang (never answers an inference), refuse (400), busy (503), drop (closes the connection in
the middle of a request), malformed (an answer that is none), slow (--delay-ms before each answer),
no-output (an answer without what was asked for). "NAME@N": from the Nth inference on. POST /fault
NAME changes it. Prints "ready PORT".
"""

import argparse
import http.server
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time

DTYPES = {"FP32": ("<f4", 4, "f"), "FP16": ("<f2", 2, "e"),
          "UINT8": ("|u1", 1, "B"), "INT64": ("<i8", 8, "q")}


def npy(dtype, shape, raw):
    header = f"{{'descr': '{DTYPES[dtype][0]}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + raw


def read_npy(path):
    raw = pathlib.Path(path).read_bytes()
    length = struct.unpack("<H", raw[8:10])[0]
    header = eval(raw[10:10 + length].decode())  # the program's own output
    dtype = next(name for name, row in DTYPES.items() if row[0] == header["descr"])
    return dtype, list(header["shape"]), raw[10 + length:]


class Models:
    def __init__(self, folder, program):
        self.program = program
        self.files = {path.parent.parent.name: path
                      for path in pathlib.Path(folder).glob("*/1/model.onnx")}
        self.known = {}
        self.metadata = {name: self.inspect(path) for name, path in self.files.items()}

    def inspect(self, path):
        found = json.loads(subprocess.run([self.program, "inspect", path, "--json", "-"],
                                          capture_output=True, text=True, check=True).stdout)
        names = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8", "int64": "INT64"}
        return {side: [{"name": value["name"], "datatype": names[value["dtype"]],
                        "shape": [int(dim) if dim.isdigit() else -1 for dim in
                                  map(str, value["shape"])]}
                       for value in found[side]] for side in ("inputs", "outputs")}

    def run(self, name, inputs):
        """The same inputs are computed once."""
        key = (name, tuple((key, raw) for key, (_, _, raw) in inputs.items()))
        if key not in self.known:
            self.known[key] = self.compute(name, inputs)
        return self.known[key]

    def compute(self, name, inputs):
        if name == "edgewright-echo":
            _, shape, raw = inputs["input"]
            return {"data": ("UINT8", shape, raw), "size": ("INT64", [1],
                                                            struct.pack("<q", shape[0]))}
        with tempfile.TemporaryDirectory() as folder:
            arguments = [self.program, "run", self.files[name], "-o", f"{folder}/out", "--json",
                         "-"]
            for i, (key, (dtype, shape, raw)) in enumerate(inputs.items()):
                pathlib.Path(f"{folder}/{i}.npy").write_bytes(npy(dtype, shape, raw))
                arguments += ["--input", f"{key}={folder}/{i}.npy"]
            ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
            return {row["name"]: read_npy(row["file"])
                    for row in json.loads(ran.stdout)["outputs"]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one piece; else the client's acknowledgement is waited for.
    wbufsize = -1

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        models, path = self.server.models, self.path
        name = path.split("/")[3] if path.startswith("/v2/models/") else ""
        if self.fault() == "hang":
            time.sleep(60)
        if self.path == "/infers":
            self.answer(200, self.server.infers)
        elif path in ("/v2/health/live", "/v2/health/ready"):
            self.answer(200, b"")
        elif path == "/v2":
            self.answer(200, {"name": "stub", "version": "1", "extensions": []})
        elif name in models.metadata:
            self.answer(200, {"name": name, "platform": "stub", "versions": ["1"],
                              **models.metadata[name]})
        else:
            self.answer(404, {"error": f"no model {name}"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/fault":
            self.server.fault, self.server.infers = body.decode(), 0
            self.answer(200, b"")
        elif self.path == "/v2/repository/index":
            self.answer(200, [{"name": name, "state": "READY"} for name in
                              self.server.models.files])
        elif self.path.startswith("/v2/models/") and self.path.endswith("/infer"):
            self.infer(self.path.split("/")[3], body)
        else:
            self.answer(404, {"error": f"no {self.path}"})

    def fault(self):
        name, _, first = self.server.fault.partition("@")
        return name if self.server.infers >= int(first or 0) else ""

    def infer(self, name, body):
        is_echo = name not in self.server.models.files or name == "edgewright-echo"
        self.server.infers += 0 if is_echo else 1
        fault = "" if is_echo else self.fault()
        if fault == "hang":
            time.sleep(60)
        if fault == "drop":
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if fault in ("refuse", "busy"):
            self.answer(400 if fault == "refuse" else 503, {"error": f"told to {fault}"})
            return
        if fault == "malformed":
            self.answer(200, b"{]")
            return
        if fault == "slow":
            time.sleep(self.server.delay_ms / 1e3)
        if name not in self.server.models.files:
            self.answer(404, {"error": f"no model {name}"})
            return
        self.answer_inference(name, body, fault)

    def answer_inference(self, name, body, fault):
        length = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        request, rest = json.loads(body[:length]), body[length:]
        inputs = {}
        for tensor in request["inputs"]:
            size = tensor["parameters"]["binary_data_size"]
            inputs[tensor["name"]] = (tensor["datatype"], tensor["shape"], rest[:size])
            rest = rest[size:]
        if name == "edgewright-echo" and request["outputs"][0]["name"] == "size":
            inputs["input"] = ("UINT8", inputs["input"][1], b"")
        outputs = self.server.models.run(name, inputs)
        wanted = [row["name"] for row in request.get("outputs", [])] or list(outputs)
        if fault == "no-output":
            wanted = []
        rows = [{"name": key, "datatype": outputs[key][0], "shape": outputs[key][1],
                 "parameters": {"binary_data_size": len(outputs[key][2])}} for key in wanted]
        head = json.dumps({"model_name": name, "id": request.get("id", ""),
                           "outputs": rows}).encode()
        self.answer(200, head + b"".join(outputs[key][2] for key in wanted),
                    [("Inference-Header-Content-Length", str(len(head)))])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("repository")
    parser.add_argument("edgewright")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", default="")
    parser.add_argument("--delay-ms", type=float, default=0)
    arguments = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    server.daemon_threads = True
    server.models = Models(arguments.repository, arguments.edgewright)
    server.fault, server.delay_ms, server.infers = arguments.fault, arguments.delay_ms, 0
    print(f"ready {server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # until whoever started it goes away


if __name__ == "__main__":
    main()
