// Feature preparation and linear models of ai.onnx.ml.
#include <cmath>
#include <cstring>

#include "kernels/families.h"
#include "kernels/ml/label_encoder.h"
#include "kernels/ml/post_transform.h"

namespace edgewright {
namespace {

using namespace reference;

// Elements of the last axis by index.
Status array_feature_extractor(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> indices, operand<int64_t>(call, 1));
  const bool text = x->dtype() == DType::kString;
  const int bits = dtype_bits(x->dtype());
  if (x->rank() < 1 || (!text && bits % 8 != 0)) {
    return bad_input("{} of {} of shape {}", call.op, dtype_name(x->dtype()), dims_text(x->dims()));
  }
  const int64_t width = x->dims().back();
  Dims dims = x->dims();
  dims.back() = indices.count();
  if (dims.size() == 1) dims.insert(dims.begin(), 1);
  for (int64_t i = 0; i < indices.count(); ++i) {
    if (indices[i] < 0 || indices[i] >= width) {
      return bad_input("{} takes element {} of {}", call.op, indices[i], width);
    }
  }
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, x->dtype(), dims));
  const int64_t size = bits / 8;
  for (int64_t i = 0; i < y->element_count(); ++i) {
    const int64_t from = i / indices.count() * width + indices[i % indices.count()];
    if (text) {
      y->mutable_string_elements()[static_cast<size_t>(i)] =
          x->string_elements()[static_cast<size_t>(from)];
    } else {
      std::memcpy(y->mutable_bytes() + i * size, x->bytes() + from * size,
                  static_cast<size_t>(size));
    }
  }
  return {};
}

Status binarizer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  const double threshold = call.attributes->get_float("threshold", 0);
  EDGEWRIGHT_ASSIGN(const Computed<double> y, computed<double>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) y[i] = x[i] > threshold ? 1 : 0;
  return y.finish();
}

// (x - offset) * scale, each one for all or one per column.
Status scaler(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  const std::vector<float> scale = call.attributes->get_floats("scale", {1});
  const std::vector<float> offset = call.attributes->get_floats("offset", {0});
  for (const auto* values : {&scale, &offset}) {
    if (values->size() != 1 && static_cast<int64_t>(values->size()) != rows.width) {
      return bad_input("{} has {} values for {} columns", call.op, values->size(), rows.width);
    }
  }
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, DType::kFloat32, x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) {
    const auto column = static_cast<size_t>(i % rows.width);
    y[i] = (x[i] - offset[offset.size() == 1 ? 0 : column]) * scale[scale.size() == 1 ? 0 : column];
  }
  return y.finish();
}

Status normalizer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  const std::string norm = call.attributes->get_string("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2") {
    return bad_input("{} has norm '{}'", call.op, norm);
  }
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, DType::kFloat32, x.dims()));
  for (int64_t row = 0; row < rows.count; ++row) {
    const float* from = x.data + row * rows.width;
    double size = 0;
    for (int64_t i = 0; i < rows.width; ++i) {
      const double value = from[i];
      if (norm == "MAX") size = i == 0 ? value : std::max(size, value);
      if (norm == "L1") size += std::fabs(value);
      if (norm == "L2") size += value * value;
    }
    if (norm == "L2") size = std::sqrt(size);
    for (int64_t i = 0; i < rows.width; ++i) {
      y[row * rows.width + i] = static_cast<float>(size == 0 ? from[i] : from[i] / size);
    }
  }
  return y.finish();
}

Status imputer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  std::vector<double> values;
  for (const float v : call.attributes->get_floats("imputed_value_floats")) values.push_back(v);
  double replaced = call.attributes->get_float("replaced_value_float", 0);
  if (is_integer(x.dtype())) {
    values.clear();
    for (const int64_t v : call.attributes->get_ints("imputed_value_int64s")) {
      values.push_back(static_cast<double>(v));
    }
    replaced = static_cast<double>(call.attributes->get_int("replaced_value_int64", 0));
  }
  if (values.size() != 1 && static_cast<int64_t>(values.size()) != rows.width) {
    return bad_input("{} has {} values for {} columns", call.op, values.size(), rows.width);
  }
  EDGEWRIGHT_ASSIGN(const Computed<double> y, computed<double>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) {
    const bool missing = std::isnan(replaced) ? std::isnan(x[i]) : x[i] == replaced;
    y[i] = missing ? values[values.size() == 1 ? 0 : static_cast<size_t>(i % rows.width)] : x[i];
  }
  return y.finish();
}

// One more axis with a 1 at the position of the element's category.
Status one_hot_encoder(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const ClassLabels categories,
                    class_labels(call, "cats_strings", "cats_int64s"));
  const bool text = x->dtype() == DType::kString;
  const int64_t count = categories.count();
  if (text == categories.strings.empty()) {
    return bad_input("{} of {} has no categories of that type", call.op, dtype_name(x->dtype()));
  }
  Dims dims = x->dims();
  dims.push_back(count);
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, DType::kFloat32, dims));
  const bool zeros = call.attributes->get_int("zeros", 1) != 0;
  EDGEWRIGHT_ASSIGN(const double* values,
                    text ? Result<const double*>(nullptr) : read_as<double>(call, *x));
  for (int64_t i = 0; i < x->element_count(); ++i) {
    int64_t found = count;
    if (text) {
      const auto& all = categories.strings;
      found = std::find(all.begin(), all.end(), x->string_elements()[static_cast<size_t>(i)]) -
              all.begin();
    } else {
      const auto& all = categories.integers;
      found =
          std::find_if(all.begin(), all.end(),
                       [&](int64_t c) { return static_cast<double>(c) == std::trunc(values[i]); }) -
          all.begin();
    }
    if (found < count) {
      y[i * count + found] = 1;
    } else if (!zeros) {
      return bad_input("{} has an element {} of no category", call.op, i);
    }
  }
  return y.finish();
}

// The columns of all inputs side by side.
Status feature_vectorizer(OpCall& call) {
  const std::vector<int64_t> widths = call.attributes->get_ints("inputdimensions");
  if (widths.size() != call.inputs.size()) {
    return bad_input("{} has {} inputs and {} inputdimensions", call.op, call.inputs.size(),
                     widths.size());
  }
  int64_t total = 0;
  for (const int64_t width : widths) {
    if (width < 0 || width > (int64_t{1} << 31)) return bad_input("{}: width {}", call.op, width);
    total += width;
  }
  EDGEWRIGHT_ASSIGN(const Tensor* first, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *first));
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 0, DType::kFloat32, {rows.count, total}));
  int64_t offset = 0;
  for (size_t i = 0; i < widths.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, i));
    EDGEWRIGHT_ASSIGN(const Rows own, rows_of(call, *x.tensor));
    if (own.count != rows.count) {
      return bad_input("{} of {} and {} rows", call.op, rows.count, own.count);
    }
    for (int64_t j = 0; j < own.count * std::min(own.width, widths[i]); ++j) {
      const int64_t width = std::min(own.width, widths[i]);
      y[j / width * total + offset + j % width] = x[j / width * own.width + j % width];
    }
    offset += widths[i];
  }
  return y.finish();
}

// scores [rows, targets] = x coefficients^T + intercepts.
struct Linear {
  Rows rows;
  int64_t targets = 0;
  float* scores = nullptr;
};
Result<Linear> linear_scores(OpCall& call, int64_t targets) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  Linear made;
  EDGEWRIGHT_ASSIGN(made.rows, rows_of(call, *x.tensor));
  const std::vector<float> coefficients = call.attributes->get_floats("coefficients");
  const std::vector<float> intercepts = call.attributes->get_floats("intercepts");
  const int64_t width = made.rows.width;
  const auto count = static_cast<int64_t>(coefficients.size());
  made.targets = targets;
  if (targets < 1 || targets > count || count / targets != width || count % targets != 0 ||
      (!intercepts.empty() && static_cast<int64_t>(intercepts.size()) != targets)) {
    return bad_input("{} has {} coefficients and {} intercepts for {} columns and {} targets",
                     call.op, count, intercepts.size(), width, targets);
  }
  EDGEWRIGHT_ASSIGN(made.scores, scratch_array<float>(call, made.rows.count * targets));
  for (int64_t i = 0; i < made.rows.count * targets; ++i) {
    const int64_t t = i % targets;
    double sum = intercepts.empty() ? 0 : intercepts[static_cast<size_t>(t)];
    for (int64_t j = 0; j < width; ++j) {
      sum += static_cast<double>(x[i / targets * width + j]) *
             coefficients[static_cast<size_t>(t * width + j)];
    }
    made.scores[i] = static_cast<float>(sum);
  }
  return made;
}

Status linear_regressor(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const PostTransform transform, post_transform_of(call));
  EDGEWRIGHT_ASSIGN(const Linear linear,
                    linear_scores(call, call.attributes->get_int("targets", 1)));
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 0, DType::kFloat32, {linear.rows.count, linear.targets}));
  std::copy_n(linear.scores, y.count(), y.data);
  for (int64_t i = 0; i < linear.rows.count; ++i) {
    apply_post_transform(transform, y.data + i * linear.targets, linear.targets);
  }
  return y.finish();
}

Status linear_classifier(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const PostTransform transform, post_transform_of(call));
  EDGEWRIGHT_ASSIGN(const ClassLabels labels,
                    class_labels(call, "classlabels_strings", "classlabels_ints"));
  const auto intercepts = static_cast<int64_t>(call.attributes->get_floats("intercepts").size());
  EDGEWRIGHT_ASSIGN(const Linear linear,
                    linear_scores(call, intercepts > 0 ? intercepts : labels.count()));
  // One score for two classes: the second class is the one that it speaks for.
  const bool binary = linear.targets == 1 && labels.count() == 2;
  const int64_t classes = binary ? 2 : linear.targets;
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 1, DType::kFloat32, {linear.rows.count, classes}));
  std::vector<int64_t> winners;
  for (int64_t i = 0; i < linear.rows.count; ++i) {
    const float* scores = linear.scores + i * linear.targets;
    float* out = y.data + i * classes;
    if (binary) {
      winners.push_back(scores[0] > 0 ? 1 : 0);
      out[0] = 1 - scores[0];
      out[1] = scores[0];
      continue;
    }
    winners.push_back(std::max_element(scores, scores + classes) - scores);
    std::copy_n(scores, classes, out);
    apply_post_transform(transform, out, classes);
  }
  EDGEWRIGHT_TRY(give_labels(call, labels, winners));
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"ai.onnx.ml", "ArrayFeatureExtractor", array_feature_extractor},
    {"ai.onnx.ml", "Binarizer", binarizer},
    {"ai.onnx.ml", "Scaler", scaler},
    {"ai.onnx.ml", "Normalizer", normalizer},
    {"ai.onnx.ml", "Imputer", imputer},
    {"ai.onnx.ml", "OneHotEncoder", one_hot_encoder},
    {"ai.onnx.ml", "FeatureVectorizer", feature_vectorizer},
    {"ai.onnx.ml", "LabelEncoder", label_encoder},
    {"ai.onnx.ml", "LinearRegressor", linear_regressor},
    {"ai.onnx.ml", "LinearClassifier", linear_classifier},
};

}  // namespace

std::span<const ReferenceKernel> ml_reference_kernels() { return kKernels; }

}  // namespace edgewright
