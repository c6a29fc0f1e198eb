"""Starts the server for tests and talks HTTP to it with the standard library alone."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import struct
import subprocess
import time

GRAPH = """graph %main(%x: float32[n,{columns}]) -> (%y) {{
  %b: float32[1] = {{{bias}}}
  %y: float32[n,{columns}] = Add(%x, %b)
}}
"""


def write_adder(repository, name, version=1, columns=4, bias=1.0, config=""):
    """A model that adds a number, as readable text."""
    folder = pathlib.Path(repository) / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.txt").write_text(GRAPH.format(columns=columns, bias=bias))
    if config:
        (folder.parent / "config.pbtxt").write_text(config)


class Server:
    """A running server; `end` gives its exit code and its report."""

    def __init__(self, program, repository, *arguments):
        self.folder = pathlib.Path(repository).parent
        announcement = self.folder / "announcement.json"
        self.report = self.folder / "report.json"
        announcement.unlink(missing_ok=True)
        words = [program, "serve", str(repository), "--http-port", "0", "--grpc-port", "0"]
        words += ["--announce", str(announcement), "--json", str(self.report), *arguments]
        self.errors = open(self.folder / "errors.txt", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=self.errors, env=dict(os.environ)
        )
        until = time.monotonic() + 120
        while not announcement.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                raise RuntimeError(f"the server did not start: {self.messages()}")
            time.sleep(0.02)
        self.announced = json.loads(announcement.read_text())
        self.http_port = self.announced["http_port"]
        self.grpc_port = self.announced["grpc_port"]

    def messages(self):
        self.errors.flush()
        self.errors.seek(0)
        return self.errors.read()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.errors.close()
        return code, json.loads(self.report.read_text()) if self.report.exists() else None

    def request(self, method, path, body=None, headers=None, timeout=60):
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def ask(self, method, path, document=None, headers=None):
        """The same with JSON both ways."""
        body = None if document is None else json.dumps(document)
        status, _, content = self.request(method, path, body, headers)
        return status, json.loads(content) if content else None

    def infer(self, model, rows, version="", **more):
        """The rows that a model of write_adder makes of these rows, over binary data."""
        flat = [value for row in rows for value in row]
        data = struct.pack(f"<{len(flat)}f", *flat)
        described = {
            "name": "x",
            "datatype": "FP32",
            "shape": [len(rows), len(rows[0])],
            "parameters": {"binary_data_size": len(data)},
        }
        document = {"inputs": [described], "parameters": {"binary_data_output": True}}
        document["parameters"].update(more)
        text = json.dumps(document).encode()
        path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/infer"
        status, headers, content = self.request(
            "POST", path, text + data, {"Inference-Header-Content-Length": str(len(text))}
        )
        if status != 200:
            raise RuntimeError(f"{status}: {content.decode()}")
        length = int(headers["Inference-Header-Content-Length"])
        answer = json.loads(content[:length])
        values = struct.unpack(f"<{(len(content) - length) // 4}f", content[length:])
        columns = answer["outputs"][0]["shape"][1]
        made = [list(values[i : i + columns]) for i in range(0, len(values), columns)]
        return answer["model_version"], made
