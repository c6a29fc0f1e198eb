#pragma once

#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// What a value holds at run time: a tensor, a sequence, a map, an optional without content, or
// nothing (an omitted input). An optional with content is represented by its content.
class Datum {
 public:
  enum class Kind : uint8_t { kNone, kTensor, kSequence, kMap, kEmptyOptional };

  Datum() = default;
  Datum(Tensor tensor) : kind_(Kind::kTensor), tensor_(std::move(tensor)) {}
  static Datum sequence(std::vector<Datum> elements) {
    Datum datum;
    datum.kind_ = Kind::kSequence;
    datum.elements_ = std::make_shared<const std::vector<Datum>>(std::move(elements));
    return datum;
  }
  // Element i of `keys` (int64 or string, rank 1) belongs to element i of `values` (rank 1). Both
  // own their memory.
  static Datum map(Tensor keys, Tensor values) {
    EDGEWRIGHT_CHECK(keys.rank() == 1 && keys.dims() == values.dims());
    Datum datum = sequence({std::move(keys), std::move(values)});
    datum.kind_ = Kind::kMap;
    return datum;
  }
  static Datum empty_optional() {
    Datum datum;
    datum.kind_ = Kind::kEmptyOptional;
    return datum;
  }

  Kind kind() const { return kind_; }
  bool is_tensor() const { return kind_ == Kind::kTensor; }
  bool is_sequence() const { return kind_ == Kind::kSequence; }
  bool is_map() const { return kind_ == Kind::kMap; }
  const Tensor& tensor() const {
    EDGEWRIGHT_CHECK(kind_ == Kind::kTensor);
    return tensor_;
  }
  const std::vector<Datum>& elements() const {
    EDGEWRIGHT_CHECK(kind_ == Kind::kSequence);
    return *elements_;
  }
  const Tensor& map_keys() const {
    EDGEWRIGHT_CHECK(kind_ == Kind::kMap);
    return (*elements_)[0].tensor();
  }
  const Tensor& map_values() const {
    EDGEWRIGHT_CHECK(kind_ == Kind::kMap);
    return (*elements_)[1].tensor();
  }

 private:
  Kind kind_ = Kind::kNone;
  Tensor tensor_;
  std::shared_ptr<const std::vector<Datum>> elements_;
};

}  // namespace edgewright
