#include "verify/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "verify/inputs.h"

namespace edgewright {
namespace {

Difference difference_of(const Tensor& reference, const Tensor& candidate) {
  DifferenceGatherer gatherer;
  EXPECT_TRUE(gatherer.add(reference, candidate).ok());
  return gatherer.difference();
}

Tensor vector(std::vector<float> elements) {
  const auto size = static_cast<int64_t>(elements.size());
  return Tensor::of<float>({size}, std::span<const float>(elements));
}

TEST(Difference, FollowsItsFormulas) {
  const Difference d = difference_of(vector({3, 4}), vector({3, 5}));
  EXPECT_DOUBLE_EQ(d.relative_l2, 0.2);
  EXPECT_DOUBLE_EQ(d.max_abs, 1);
  EXPECT_NEAR(d.cosine, (9 + 20) / (5 * std::sqrt(34.0)), 1e-12);
}

TEST(Difference, NanAndInfinityMustBeInTheSamePlace) {
  const float nan = std::nanf("");
  EXPECT_EQ(difference_of(vector({nan, 1, INFINITY}), vector({nan, 1, INFINITY})).max_abs, 0);
  for (const auto& other : {vector({1, nan, INFINITY}), vector({nan, 1, -INFINITY})}) {
    const Difference d = difference_of(vector({nan, 1, INFINITY}), other);
    EXPECT_TRUE(std::isinf(d.relative_l2));
    EXPECT_FALSE(Tolerance{}.accepts(d));
  }
}

TEST(Difference, ZeroReference) {
  EXPECT_EQ(difference_of(vector({0, 0}), vector({0, 0})).cosine, 1);
  EXPECT_TRUE(std::isinf(difference_of(vector({0, 0}), vector({0, 1})).relative_l2));
}

class Scaled : public Subject {
 public:
  explicit Scaled(float factor) : factor_(factor) {}
  std::vector<std::string> output_names() const override { return {"y"}; }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override {
    const Tensor& x = inputs[0].tensor();
    if (observer) observer("same", x);
    const Datum y = vector({x.data<float>()[0] * factor_});
    if (observer) observer("y", y);
    return std::vector<Datum>{y};
  }

 private:
  float factor_;
};

TEST(Compare, NamesTheFirstDivergingLayer) {
  Scaled reference(1), equal(1), wrong(1.1f);
  const std::vector<std::vector<Datum>> samples = {{vector({2})}, {vector({3})}};
  const auto good = compare(reference, equal, samples, {});
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(good->passed);
  EXPECT_FALSE(good->first_divergence);
  EXPECT_EQ(good->layers.size(), 2u);
  const auto bad = compare(reference, wrong, samples, {});
  ASSERT_TRUE(bad.ok());
  EXPECT_FALSE(bad->passed);
  EXPECT_EQ(bad->first_divergence, "y");
  EXPECT_NEAR(bad->outputs[0].difference.relative_l2, 0.1, 1e-6);
}

// Shows its values in one place, as engines do.
class Reusing : public Subject {
 public:
  std::vector<std::string> output_names() const override { return {"y"}; }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override {
    Tensor place = vector({0});
    for (const char* name : {"a", "b", "y"}) {
      place.mutable_data<float>()[0] += inputs[0].tensor().data<float>()[0];
      if (observer) observer(name, place);
    }
    return std::vector<Datum>{place};
  }
};

TEST(Compare, KeepsWhatAnEngineShowsForAMoment) {
  Reusing reference, candidate;
  const auto same = compare(reference, candidate, {{vector({2})}}, {});
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->layers.size(), 3u);
  EXPECT_FALSE(same->first_divergence);
}

TEST(Inputs, SameSeedSameBytesAndOneSizePerSymbol) {
  Graph graph;
  graph.add_input("a", ValueType::tensor(DType::kFloat32, Shape{Dim("n"), Dim(3)}));
  graph.add_input("b", ValueType::tensor(DType::kInt64, Shape{Dim("n")}));
  InputOptions options;
  options.shapes["b"] = {5};
  const auto first = make_inputs(graph, options);
  const auto second = make_inputs(graph, options);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ((*first)[0].tensor().dims(), (Dims{5, 3}));
  EXPECT_TRUE(identical((*first)[0].tensor(), (*second)[0].tensor()));
  options.seed = 1;
  EXPECT_FALSE(identical((*first)[0].tensor(), (*make_inputs(graph, options))[0].tensor()));
  options.shapes["a"] = {5, 4};
  EXPECT_EQ(make_inputs(graph, options).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
