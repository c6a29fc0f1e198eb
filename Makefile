# The commands that people type; CMakePresets.json and tools/ do the work.

.PHONY: setup build test test-extended bench demo format lint clean

cmake := .deps/tools/bin/cmake
ctest := .deps/tools/bin/ctest
jobs := $(shell nproc)

build: setup
	@$(cmake) --preset release --log-level=WARNING
	@$(cmake) --build --preset release

setup:
	@tools/setup

test: build
	@$(ctest) --preset release --parallel $(jobs)

# With the shared models and suites beside the project, and the tools to compare with.
test-extended: build
	@tools/setup --bench --browser --cross --language --litert --llama --metrics --privacy --profile \
	  --serve --targets
	@$(ctest) --preset extended

bench: build
	@tools/setup --bench --nncf --llama --serve
	@$(cmake) --build --preset release -- bench_engine
	@.deps/bench/bin/python bench/compare.py
	@.deps/bench/bin/python bench/compare.py --batch 8 --threads 2
	@.deps/bench/bin/python bench/startup.py
	@.deps/bench/bin/python bench/converter_cost.py
	@.deps/bench/bin/python bench/compare_int8.py
	@.deps/bench/bin/python bench/compare_int8.py --batch 32
	@.deps/llama/bin/python bench/language/compare_llama.py
	@.deps/bench/bin/python bench/split/plan_against_measured.py
	@$(cmake) --build --preset release -- serve_cost
	@.deps/serve/bin/python bench/serve_cost.py

demo: build
	@tools/setup --demo
	@examples/01_optimise_and_verify/demo.py

format: setup
	@tools/lint --fix-format

lint: build
	@tools/lint

clean:
	rm -rf build build-dev build-asan build-tsan build-aarch64
