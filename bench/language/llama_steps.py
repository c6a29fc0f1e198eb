#!/usr/bin/env python3
"""Times llama.cpp on one model, by its C interface so that Python costs nothing.

usage: llama_steps.py FILE.gguf THREADS MODE...

MODE: decode@CONTEXT, batchN or prefillN, as of bench_engine. Prints one line for each: MODE and
tokens/s, the best of about two seconds. firstN, alone: milliseconds from opening the file to the
logits after a prompt of N tokens.
"""

import ctypes
import re
import sys
import time

import llama_cpp

BUDGET_S = 2.0


def least_s(step):
    step()
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < BUDGET_S:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return min(times)


class Model:
    def __init__(self, path, threads, context, sequences, logits_of_all):
        llama_cpp.llama_backend_init()
        self.silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.silence, ctypes.c_void_p(0))
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = context * sequences
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.logits_of_all = logits_of_all

    def batch(self, places):
        """A batch of (token, sequence, position); logits of the last place of each sequence."""
        batch = llama_cpp.llama_batch_init(len(places), 0, 1)
        batch.n_tokens = len(places)
        last = {sequence: i for i, (_, sequence, _) in enumerate(places)}
        for i, (token, sequence, position) in enumerate(places):
            batch.token[i], batch.pos[i] = token, position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
            batch.logits[i] = last[sequence] == i
        return batch

    def decode(self, batch):
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")

    def forget(self, position):
        llama_cpp.llama_memory_seq_rm(self.memory, -1, position, -1)

    def fill(self, count):
        for first in range(0, count, 512):
            places = [(1 + p % 4000, 0, p) for p in range(first, min(count, first + 512))]
            self.decode(self.batch(places))


def first(path, threads, number):
    start = time.perf_counter()
    model = Model(path, threads, 512, 1, False)
    model.fill(number)
    llama_cpp.llama_synchronize(model.context)
    return 1e3 * (time.perf_counter() - start)


def measure(model, mode):
    number = int(re.search(r"\d+$", mode).group())
    if mode.startswith("prefill"):
        batch = model.batch([(1 + p % 4000, 0, p) for p in range(number)])
        first, tokens = 0, number
    elif mode.startswith("batch"):
        batch = model.batch([(5, s, 16) for s in range(number)])
        first, tokens = 16, number
    else:
        model.forget(0)
        model.fill(number)
        batch, first, tokens = model.batch([(5, 0, number)]), number, 1

    def step():
        model.forget(first)
        model.decode(batch)
        llama_cpp.llama_synchronize(model.context)

    return tokens / least_s(step)


def main():
    path, threads, modes = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    numbers = [int(re.search(r"\d+$", mode).group()) for mode in modes]
    if modes[0].startswith("first"):
        print(modes[0], first(path, threads, numbers[0]))
        return
    sequences = max([n for n, m in zip(numbers, modes) if m.startswith("batch")], default=1)
    model = Model(path, threads, max(numbers + [512]) + 64, sequences, False)
    for mode in modes:
        print(mode, measure(model, mode), flush=True)


if __name__ == "__main__":
    main()
