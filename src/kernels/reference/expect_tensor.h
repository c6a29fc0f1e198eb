// For tests: what a kernel returned against what it should.
#pragma once

#include <gtest/gtest.h>

#include "kernels/reference/run_kernel.h"

namespace edgewright::reference {

// The result holds these elements in this shape.
template <class T>
void expect_tensor(const Result<Tensor>& result, Dims dims, std::initializer_list<T> elements) {
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->dtype(), kDTypeOf<T>);
  EXPECT_EQ(result->dims(), dims);
  const auto found = result->template elements<T>();
  EXPECT_TRUE(std::equal(found.begin(), found.end(), elements.begin(), elements.end()))
      << "elements differ";
}
inline void expect_close(const Result<Tensor>& result, std::initializer_list<float> elements) {
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(static_cast<size_t>(result->element_count()), elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    EXPECT_NEAR(result->data<float>()[i], elements.begin()[i], 1e-6f) << "element " << i;
  }
}
template <class T>
void expect_error(const Result<T>& result, ErrorKind kind) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, kind) << result.error().message;
}

inline Attributes attributes_of(
    std::initializer_list<std::pair<std::string, AttributeValue>> entries) {
  Attributes attributes;
  for (const auto& [name, value] : entries) attributes.set(name, value);
  return attributes;
}

}  // namespace edgewright::reference
