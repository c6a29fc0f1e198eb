#include "profile/roles.h"

#include <algorithm>

#include "profile/operator_cost.h"

namespace edgewright {
namespace {

bool is_product(const PlanStep& step) {
  return step.op == "MatMul" || step.op == "Gemm" || step.op == "MatMulInteger" ||
         step.op == "MatMulNBits" || step.op == "QLinearMatMul";
}

// A product of two values made during the run is part of attention that was not fused.
bool has_weights(const Plan& plan, const PlanStep& step) {
  if (!step.packed.empty_handle()) return true;
  return std::ranges::any_of(step.inputs, [&](int32_t input) {
    return input >= 0 && plan.values[static_cast<size_t>(input)].storage == Storage::kConstant &&
           plan.values[static_cast<size_t>(input)].dims.size() >= 2;
  });
}

bool is_attention(const Plan& plan, const PlanStep& step) {
  return step.op == "Attention" || step.op == "MultiHeadAttention" ||
         step.op == "GroupQueryAttention" || (is_product(step) && !has_weights(plan, step));
}

int64_t width(const Plan& plan, const PlanStep& step) {
  const PlanValue& value = plan.values[static_cast<size_t>(step.outputs.front())];
  return value.dims.empty() ? 0 : value.dims.back();
}

// Sorts the steps between two attentions into what they are for.
class Roles {
 public:
  Roles(const Plan& plan, std::span<ProfiledOperator> operators)
      : plan_(plan), operators_(operators) {}

  void assign() {
    const auto attention = attention_steps();
    for (auto& op : operators_) op.role = op.kind;
    if (attention.empty()) return;
    for (size_t block = 0; block < attention.size(); ++block) {
      mark(attention[block], "attention", block);
    }
    label_leading(attention.front());
    for (size_t block = 0; block < attention.size(); ++block) {
      const size_t end = block + 1 < attention.size() ? attention[block + 1] : plan_.steps.size();
      label_between(attention[block] + 1, end, block, block + 1 == attention.size());
    }
  }

 private:
  // One a block: the products of unfused attention stand close together, with a softmax between.
  std::vector<size_t> attention_steps() const {
    std::vector<size_t> found;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      if (!is_attention(plan_, plan_.steps[i])) continue;
      const bool same_block =
          !found.empty() &&
          std::none_of(plan_.steps.begin() + static_cast<std::ptrdiff_t>(found.back()) + 1,
                       plan_.steps.begin() + static_cast<std::ptrdiff_t>(i),
                       [&](const PlanStep& s) { return is_product(s) && has_weights(plan_, s); });
      if (!same_block) found.push_back(i);
    }
    return found;
  }

  void mark(size_t step, std::string_view role, size_t block) {
    operators_[step].role = role;
    operators_[step].layer = fmt::format("{}", block);
  }

  void label_other(size_t step, size_t block) {
    const std::string& kind = operators_[step].kind;
    const std::string& op = plan_.steps[step].op;
    std::string_view role = kind;
    if (kind == "normalise") role = op == "Softmax" ? "attention" : "norm";
    if (kind == "elementwise") role = is_residual(step) ? "residual" : "elementwise";
    if (op == "RotaryEmbedding") role = "rope";
    if (op == "Concat") role = "cache";
    if (op == "Gather") role = "embedding";
    if (kind == "matrix" || kind == "vector") role = "attention";
    mark(step, role, block);
  }

  // The sum of two values that were both made in this run.
  bool is_residual(size_t step) const {
    const PlanStep& s = plan_.steps[step];
    const auto program = s.attributes.get_string("program", "");
    return s.op == "Add" || program.find("=Add(i0,i1)") != std::string::npos;
  }

  // Before the first attention: embedding, then its query, key and value products.
  void label_leading(size_t attention) {
    for (size_t i = 0; i < attention; ++i) {
      if (is_product(plan_.steps[i]) && has_weights(plan_, plan_.steps[i])) {
        mark(i, "qkv", 0);
      } else {
        label_other(i, 0);
        if (operators_[i].kind == "convolution") mark(i, "embedding", 0);
      }
    }
  }

  void label_between(size_t begin, size_t end, size_t block, bool is_last) {
    std::vector<size_t> products;
    for (size_t i = begin; i < end; ++i) {
      if (is_product(plan_.steps[i]) && has_weights(plan_, plan_.steps[i])) {
        products.push_back(i);
      } else {
        label_other(i, block);
      }
    }
    if (products.empty()) return;
    mark(products.front(), "output-projection", block);
    const int64_t hidden = width(plan_, plan_.steps[products.front()]);
    size_t next = 1;
    // Up to the product that comes back to the hidden width everything widens.
    while (next < products.size() && width(plan_, plan_.steps[products[next]]) != hidden) {
      mark(products[next++], "ffn-up", block);
    }
    if (next < products.size() && next > 1) mark(products[next++], "ffn-down", block);
    label_activations(products, block);
    for (; next < products.size(); ++next) {
      mark(products[next], is_last ? "head" : "qkv", is_last ? block : block + 1);
    }
  }

  // What stands between the first widening product and the one that narrows again.
  void label_activations(const std::vector<size_t>& products, size_t block) {
    const auto role_is = [&](std::string_view role) {
      return std::ranges::find_if(products, [&](size_t i) { return operators_[i].role == role; });
    };
    const auto up = role_is("ffn-up"), down = role_is("ffn-down");
    if (up == products.end() || down == products.end()) return;
    for (size_t i = *up + 1; i < *down; ++i) {
      if (operators_[i].kind == "elementwise") mark(i, "ffn-activation", block);
    }
  }

  const Plan& plan_;
  std::span<ProfiledOperator> operators_;
};

}  // namespace

void assign_roles(const Plan& plan, std::span<ProfiledOperator> operators) {
  Roles(plan, operators).assign();
}

}  // namespace edgewright
