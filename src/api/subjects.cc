#include "api/subjects.h"

namespace edgewright {

Result<Tensor> slice_sample(const Tensor& array, int64_t index, bool keep_axis) {
  Dims dims = array.dims();
  dims[0] = 1;
  if (!keep_axis) dims.erase(dims.begin());
  EDGEWRIGHT_ASSIGN(Tensor sample, Tensor::allocate_uninitialised(array.dtype(), dims));
  const size_t bytes = sample.size_bytes();
  std::copy_n(array.bytes() + static_cast<size_t>(index) * bytes, bytes, sample.mutable_bytes());
  return sample;
}

Result<RecordedSubject> RecordedSubject::create(std::map<std::string, Tensor> arrays,
                                                std::vector<std::string> outputs) {
  RecordedSubject subject;
  subject.samples_ = -1;
  for (const auto& [name, array] : arrays) {
    if (array.rank() == 0 || dtype_bits(array.dtype()) < 8) {
      return bad_input("recorded array '{}' is {} of shape {}; expected samples along a first axis",
                       name, dtype_name(array.dtype()), dims_text(array.dims()));
    }
    if (subject.samples_ >= 0 && array.dim(0) != subject.samples_) {
      return bad_input("recorded array '{}' has {} samples, another has {}", name, array.dim(0),
                       subject.samples_);
    }
    subject.samples_ = array.dim(0);
  }
  for (const std::string& output : outputs) {
    if (!arrays.contains(output)) {
      return bad_input("no recorded array '{}'; expected one for every output", output);
    }
  }
  subject.arrays_ = std::move(arrays);
  subject.outputs_ = std::move(outputs);
  return subject;
}

Result<std::vector<Datum>> RecordedSubject::run(const std::vector<Datum>& /*inputs*/,
                                                const Observer& observer) {
  if (next_ >= samples_) return bad_input("only {} samples were recorded", samples_);
  const int64_t index = next_++;
  if (observer) {
    for (const auto& [name, array] : arrays_) {
      EDGEWRIGHT_ASSIGN(Tensor sample, slice_sample(array, index, true));
      observer(name, Datum(std::move(sample)));
    }
  }
  std::vector<Datum> outputs;
  for (const std::string& name : outputs_) {
    EDGEWRIGHT_ASSIGN(Tensor sample, slice_sample(arrays_.at(name), index, true));
    outputs.emplace_back(std::move(sample));
  }
  return outputs;
}

}  // namespace edgewright
