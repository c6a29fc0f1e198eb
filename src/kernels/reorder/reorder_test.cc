#include "kernels/trial_check.h"

namespace edgewright {
namespace {

TEST(Reorder, KeepsElementsAndClearsPadding) {
  constexpr Layout kLayouts[] = {Layout::kPlain, Layout::kNhwc, Layout::kNchw16c, Layout::kNchw8c};
  for (const Layout from : kLayouts) {
    for (const Layout to : kLayouts) {
      Trial trial("edgewright", "Reorder");
      trial.input({2, 37, 3, 5}, from).output({2, 37, 3, 5}, to);
      expect_agrees(trial, "reorder", trial.value(0), kExact);
      auto run = trial.prepare(*find_implementation("reorder"));
      ASSERT_TRUE(run.ok());
      ThreadPool pool(1);
      (*run)(pool);
      EXPECT_TRUE(identical(run->stored_output(), to_layout(trial.value(0), to)) ||
                  to == Layout::kPlain);
    }
  }
}

}  // namespace
}  // namespace edgewright
