#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/each_target.h"
#include "kernels/tolerance.h"
#include "kernels/trial.h"

namespace edgewright {

// Runs the implementation on every instruction set, with one and three threads. `problem` gets the
// first output and says what is wrong with it; empty: nothing.
template <class Problem>
void expect_each_run(const Trial& trial, std::string_view implementation_name, Problem&& problem) {
  const KernelImplementation* implementation = find_implementation(implementation_name);
  ASSERT_NE(implementation, nullptr) << implementation_name;
  for_each_target([&](const char* target) {
    for (const int threads : {1, 3}) {
      auto run = trial.prepare(*implementation, threads);
      ASSERT_TRUE(run.ok()) << implementation_name << ": " << run.error().message;
      ThreadPool pool(threads);
      (*run)(pool);
      EXPECT_EQ(problem(run->output()), "")
          << implementation_name << " on " << target << " with " << threads << " threads";
    }
  });
}

inline void expect_agrees(const Trial& trial, std::string_view implementation_name,
                          const Tensor& expected, const KernelTolerance& tolerance) {
  expect_each_run(trial, implementation_name,
                  [&](const Tensor& output) { return difference(output, expected, tolerance); });
}

// The same for outputs of any type that must be equal to the bit.
inline void expect_same_bytes(const Trial& trial, std::string_view implementation_name,
                              const Tensor& expected) {
  expect_each_run(trial, implementation_name, [&](const Tensor& output) {
    const bool same = std::ranges::equal(output.byte_span(), expected.byte_span());
    return std::string(same ? "" : "other bytes");
  });
}

// Whether the implementation takes the operation.
inline bool accepts(const Trial& trial, std::string_view implementation_name) {
  return find_implementation(implementation_name)->supports(trial.request());
}

}  // namespace edgewright
