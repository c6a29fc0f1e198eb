// Einsum: any number of operands, repeated labels (diagonals), ellipsis, implicit output.
#include <algorithm>
#include <array>
#include <cctype>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

// Labels are letters; the axes of an ellipsis get numbers from kEllipsis up, counted so that the
// last axis of every ellipsis has the same number whatever their lengths.
using Labels = std::vector<int>;
constexpr int kEllipsis = 256;
constexpr int kMostEllipsisAxes = 64;
constexpr size_t kLabelCount = kEllipsis + kMostEllipsisAxes;

struct Equation {
  std::vector<std::string> terms;
  std::string output;
  bool explicit_output = false;
};

Result<Equation> split_equation(std::string text) {
  std::erase(text, ' ');
  Equation equation;
  const size_t arrow = text.find("->");
  equation.explicit_output = arrow != std::string::npos;
  if (equation.explicit_output) equation.output = text.substr(arrow + 2);
  std::string_view left = std::string_view(text).substr(0, arrow);
  for (;;) {
    const size_t comma = left.find(',');
    equation.terms.emplace_back(left.substr(0, comma));
    if (comma == std::string_view::npos) return equation;
    left.remove_prefix(comma + 1);
  }
}

// The labels of one term. `ellipsis_axes`: how many axes "..." stands for.
Result<Labels> parse_term(std::string_view term, size_t ellipsis_axes) {
  Labels labels;
  bool seen = false;
  for (size_t i = 0; i < term.size(); ++i) {
    const auto letter = static_cast<unsigned char>(term[i]);
    if (std::isalpha(letter) != 0) {
      labels.push_back(letter);
    } else if (term.substr(i, 3) == "..." && !seen) {
      for (size_t axis = ellipsis_axes; axis-- > 0;) {
        labels.push_back(kEllipsis + static_cast<int>(axis));
      }
      seen = true;
      i += 2;
    } else {
      return bad_input("Einsum: unexpected character '{}' in term \"{}\"", term[i], term);
    }
  }
  return labels;
}

struct EinsumPlan {
  std::vector<Labels> terms;
  Labels output;
  std::array<int64_t, kLabelCount> sizes{};
};

// The size of every label; a dimension of one broadcasts.
Status add_sizes(EinsumPlan& plan, const Labels& labels, const Tensor& operand) {
  for (size_t axis = 0; axis < labels.size(); ++axis) {
    int64_t& size = plan.sizes[static_cast<size_t>(labels[axis])];
    const int64_t dim = operand.dim(axis);
    if (size == -1 || size == 1) {
      size = dim;
    } else if (dim != size && dim != 1) {
      return bad_input("Einsum: one label stands for dimensions {} and {}", size, dim);
    }
  }
  return {};
}

Status parse_operands(EinsumPlan& plan, const Equation& equation,
                      std::span<const Tensor* const> operands) {
  for (size_t i = 0; i < operands.size(); ++i) {
    const std::string& term = equation.terms[i];
    const size_t dots = term.find("...") == std::string::npos ? 0 : 3;
    const size_t rank = operands[i]->rank();
    const size_t letters = term.size() - dots;
    const size_t ellipsis_axes = dots == 0 ? 0 : rank - std::min(rank, letters);
    if ((dots == 0 && rank != letters) || rank < letters || ellipsis_axes > kMostEllipsisAxes) {
      return bad_input("Einsum: term \"{}\" does not fit an operand of shape {}", term,
                       dims_text(operands[i]->dims()));
    }
    EDGEWRIGHT_ASSIGN(Labels labels, parse_term(term, ellipsis_axes));
    EDGEWRIGHT_TRY(add_sizes(plan, labels, *operands[i]));
    plan.terms.push_back(std::move(labels));
  }
  return {};
}

size_t ellipsis_axes_of(const EinsumPlan& plan) {
  size_t axes = 0;
  while (axes < kMostEllipsisAxes && plan.sizes[kEllipsis + axes] != -1) ++axes;
  return axes;
}

// Without "->": the ellipsis, then the labels that occur once, in order.
Labels implicit_output(const EinsumPlan& plan) {
  std::array<int, kLabelCount> occurrences{};
  for (const Labels& labels : plan.terms) {
    for (const int label : labels) ++occurrences[static_cast<size_t>(label)];
  }
  Labels output;
  for (size_t axis = ellipsis_axes_of(plan); axis-- > 0;) {
    output.push_back(kEllipsis + static_cast<int>(axis));
  }
  for (int label = 0; label < kEllipsis; ++label) {
    if (occurrences[static_cast<size_t>(label)] == 1) output.push_back(label);
  }
  return output;
}

Result<EinsumPlan> plan_einsum(const std::string& text, std::span<const Tensor* const> operands) {
  EDGEWRIGHT_ASSIGN(const Equation equation, split_equation(text));
  if (equation.terms.size() != operands.size()) {
    return bad_input("Einsum: \"{}\" has {} terms for {} operands", text, equation.terms.size(),
                     operands.size());
  }
  EinsumPlan plan;
  plan.sizes.fill(-1);
  EDGEWRIGHT_TRY(parse_operands(plan, equation, operands));
  if (equation.explicit_output) {
    EDGEWRIGHT_ASSIGN(plan.output, parse_term(equation.output, ellipsis_axes_of(plan)));
  } else {
    plan.output = implicit_output(plan);
  }
  std::array<bool, kLabelCount> seen{};
  for (const int label : plan.output) {
    const auto index = static_cast<size_t>(label);
    if (plan.sizes[index] == -1 || seen[index]) {
      return bad_input("Einsum: the output of \"{}\" repeats or invents a label", text);
    }
    seen[index] = true;
  }
  return plan;
}

// Steps of an operand along `axes`; a label that repeats steps along a diagonal.
Dims steps_of(const Labels& labels, std::span<const int64_t> dims, const Labels& axes) {
  const Dims dense = row_major_strides(dims);
  Dims steps(axes.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    for (size_t j = 0; j < labels.size(); ++j) {
      if (labels[j] == axes[i] && dims[j] != 1) steps[i] += dense[j];
    }
  }
  return steps;
}

// A walk over output labels, then summed ones; the output is the last operand.
StridedWalk walk_of(const EinsumPlan& plan, std::span<const Tensor* const> operands,
                    const Dims& out_dims) {
  Labels axes = plan.output;
  for (int label = 0; label < static_cast<int>(kLabelCount); ++label) {
    const bool used = plan.sizes[static_cast<size_t>(label)] != -1;
    if (used && std::find(axes.begin(), axes.end(), label) == axes.end()) axes.push_back(label);
  }
  Dims dims;
  for (const int label : axes) dims.push_back(plan.sizes[static_cast<size_t>(label)]);
  std::vector<Dims> strides;
  for (size_t i = 0; i < operands.size(); ++i) {
    strides.push_back(steps_of(plan.terms[i], operands[i]->dims(), axes));
  }
  strides.push_back(steps_of(plan.output, out_dims, axes));
  return {std::move(dims), std::move(strides)};
}

template <class T>
Status contract(OpCall& call, const StridedWalk& walk, std::span<const Tensor* const> operands,
                Dims out_dims) {
  using Sum = Compute<T>;
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, kDTypeOf<T>, out_dims));
  EDGEWRIGHT_ASSIGN(Tensor * sums, call.make_scratch(kDTypeOf<Sum>, std::move(out_dims)));
  Sum* sum = sums->mutable_data<Sum>();
  const size_t last = operands.size();
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      Sum product = 1;
      for (size_t j = 0; j < last; ++j) {
        const T factor = operands[j]->data<T>()[offsets[j] + i * walk.inner_stride(j)];
        product = wrapping_mul<Sum>(product, widen(factor));
      }
      Sum& to = sum[offsets[last] + i * walk.inner_stride(last)];
      to = wrapping_add(to, product);
    }
  });
  map_elements(sum, out->mutable_data<T>(), out->element_count(),
               [](Sum value) { return static_cast<T>(value); });
  return {};
}

Status einsum(OpCall& call) {
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Tensor* operand, call.tensor(i));
    operands.push_back(operand);
    EDGEWRIGHT_TRY(same_type(call, *operands[0], *operand));
  }
  if (operands.empty()) return bad_input("Einsum: no operands");
  EDGEWRIGHT_ASSIGN(const EinsumPlan plan,
                    plan_einsum(call.attributes->get_string("equation", ""), operands));
  Dims out_dims;
  for (const int label : plan.output) {
    out_dims.push_back(plan.sizes[static_cast<size_t>(label)]);
  }
  const StridedWalk walk = walk_of(plan, operands, out_dims);
  return dispatch<Numbers>(call, operands[0]->dtype(), [&]<class T>(std::type_identity<T>) {
    return contract<T>(call, walk, operands, out_dims);
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Einsum", einsum},
};

}  // namespace

std::span<const ReferenceKernel> einsum_reference_kernels() { return kKernels; }

}  // namespace edgewright
