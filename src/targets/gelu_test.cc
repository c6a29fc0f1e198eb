#include "targets/gelu.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

TEST(Gelu, TheSigmoidFormIsOffByTwoPercentOfOne) {
  // Hendrycks and Gimpel give the form without a bound; its worst error is near |x| = 2.2.
  EXPECT_NEAR(gelu_error(GeluForm::kSigmoid, -8, 8), 0.0203, 1e-4);
}

TEST(Gelu, TheTanhFormIsOffByFiveTenThousandths) {
  EXPECT_NEAR(gelu_error(GeluForm::kTanh, -8, 8), 4.73e-4, 1e-5);
}

TEST(Gelu, NarrowRangesAllowCheaperForms) {
  EXPECT_EQ(choose_gelu_form(-0.05, 0.05, 1e-3), GeluForm::kSigmoid);
  EXPECT_EQ(choose_gelu_form(-3, 3, 1e-3), GeluForm::kTanh);
}

TEST(Gelu, TheGuardKeepsTheExactForm) {
  EXPECT_EQ(choose_gelu_form(-3, 3, 1e-4), GeluForm::kErf);
  EXPECT_EQ(gelu_error(GeluForm::kErf, -8, 8), 0);
}

}  // namespace
}  // namespace edgewright
