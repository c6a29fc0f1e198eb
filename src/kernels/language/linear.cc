#include "kernels/language/linear.h"

#include <algorithm>
#include <array>

#include "base/cpu.h"
#include "kernels/language/product.h"
#include "kernels/language/rows.h"

namespace edgewright::language {
namespace {

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }
size_t round_up(size_t a, size_t b) { return divide_up(a, b) * b; }

// Weights that a task should at least read: a task costs about as much as a few hundred
// nanoseconds of reading.
constexpr size_t kTaskBytes = 32768;
constexpr size_t kTasksPerThread = 4;

const std::vector<ProductRow>& table() {
  static const auto* rows =
      new std::vector<ProductRow>{product_amx(),  product_avx512vnni(), product_avxvnni(),
                                  product_avx2(), product_neon(),       product_reference()};
  return *rows;
}

bool runs_here(const ProductRow& row) {
  std::vector<std::string> wanted(row.features.begin(), row.features.end());
  return missing_features(wanted).empty();
}

// The first usable row for every weight type and phase, found out once.
const ProductRow& best_row(WeightType type, Phase phase) {
  using Choice = std::array<std::array<const ProductRow*, 2>, kWeightTypeCount>;
  static const Choice* choice = [] {
    auto* made = new Choice{};
    for (int t = 0; t < kWeightTypeCount; ++t) {
      for (int p = 0; p < 2; ++p) {
        const auto usable = [&](const ProductRow& row) {
          return product_supported(row, static_cast<WeightType>(t), static_cast<Phase>(p));
        };
        (*made)[static_cast<size_t>(t)][static_cast<size_t>(p)] =
            &*std::ranges::find_if(table(), usable);
      }
    }
    return made;
  }();
  return *(*choice)[static_cast<size_t>(type)][static_cast<size_t>(phase)];
}

// Bytes of one input row in the form that takes most, and of the row of floats it is made from:
// int8 takes one and a half a column.
size_t input_row_bytes(size_t columns) { return columns * 4; }

size_t thread_bytes(size_t rows, size_t columns, size_t product_scratch) {
  return round_up(rows * kRawStep * 4, 64) + columns * 4 + round_up(product_scratch, 64);
}

size_t most_scratch(size_t columns) {
  size_t most = 0;
  for (const ProductRow& row : table()) most = std::max(most, row.scratch_bytes(columns));
  return most;
}

// One call with its workspace cut up.
class Product {
 public:
  Product(const ProductRow& row, const LinearCall& call, std::span<std::byte> workspace,
          ThreadPool& pool)
      : row_(row),
        call_(call),
        pool_(pool),
        form_(row.form(call.weights.type)),
        columns_(round_up(call.weights.columns, kInputColumns)),
        block_bytes_(block_bytes(call.weights.type, call.weights.columns)),
        blocks_(divide_up(call.weights.rows, kBlockRows)) {
    const size_t rows = round_up(std::min(call.rows, kGroupRows), kTileRows);
    inputs_ = workspace.data();
    threads_ = inputs_ + rows * input_row_bytes(columns_);
    raw_bytes_ = round_up(rows * kRawStep * 4, 64);
    thread_bytes_ = thread_bytes(rows, columns_, row.scratch_bytes(columns_));
    const size_t needed =
        rows * input_row_bytes(columns_) + thread_bytes_ * static_cast<size_t>(pool.threads());
    EDGEWRIGHT_CHECK(workspace.size() >= needed);
  }

  void run() {
    for (size_t first = 0; first < call_.rows; first += kGroupRows) {
      const size_t rows = std::min(kGroupRows, call_.rows - first);
      lay_out(rows);
      if (rows == 1) {
        encode(first, 0, 0);
      } else {
        pool_.parallel_for(rows, [&](size_t m, int worker) { encode(first + m, m, worker); });
      }
      if (form_ == InputForm::kTiles) clear_spare_rows(rows);
      const size_t tasks = task_count(rows);
      pool_.parallel_for(tasks, [&](size_t task, int worker) {
        multiply(first, blocks_in_task(task, tasks), blocks_in_task(task + 1, tasks), worker);
      });
    }
  }

 private:
  // Where the forms of the inputs lie; int8 rows are followed by their scales and sums.
  void lay_out(size_t rows) {
    const size_t groups = columns_ / 32;
    args_ = {rows, columns_};
    if (form_ == InputForm::kFloats) args_.floats = reinterpret_cast<float*>(inputs_);
    if (form_ == InputForm::kTiles) args_.tiles = reinterpret_cast<uint16_t*>(inputs_);
    if (form_ != InputForm::kInt8) return;
    args_.values = reinterpret_cast<int8_t*>(inputs_);
    args_.scales = reinterpret_cast<float*>(inputs_ + rows * columns_);
    args_.sums = reinterpret_cast<int32_t*>(inputs_ + rows * (columns_ + groups * 4));
    args_.half_sums = reinterpret_cast<int32_t*>(inputs_ + rows * (columns_ + groups * 8));
    args_.starts = reinterpret_cast<int32_t*>(inputs_ + rows * (columns_ + groups * 12));
  }
  Int8Row int8_row(size_t m) const {
    const auto [first, rows] = bundle_of(m, args_.rows, row_.bundle_rows);
    const size_t at = first * (columns_ / 32) + m - first;
    return {const_cast<int8_t*>(args_.values) + first * columns_ + (m - first) * 32,
            const_cast<float*>(args_.scales) + at,
            const_cast<int32_t*>(args_.sums) + at,
            const_cast<int32_t*>(args_.half_sums) + at,
            const_cast<int32_t*>(args_.starts) + at,
            rows,
            layout_of(call_.weights.type).value_offset};
  }

  std::byte* of_thread(int worker) {
    return threads_ + static_cast<size_t>(worker) * thread_bytes_;
  }

  void encode(size_t row, size_t m, int worker) {
    const float* input = call_.input + row * call_.input_step;
    const size_t valid = call_.weights.columns;
    float* floats = form_ == InputForm::kFloats
                        ? reinterpret_cast<float*>(inputs_) + m * columns_
                        : reinterpret_cast<float*>(of_thread(worker) + raw_bytes_);
    if (call_.norm_weight != nullptr) {
      rms_norm(input, call_.norm_weight, call_.norm_epsilon, valid, floats);
    } else {
      std::copy_n(input, valid, floats);
    }
    std::fill(floats + valid, floats + columns_, 0.0f);
    if (form_ == InputForm::kInt8) {
      encode_int8(floats, columns_, int8_row(m));
    } else if (form_ == InputForm::kTiles) {
      encode_tile_row(floats, columns_, slice_step(), tile_row(m));
    }
  }
  size_t slice_step() const { return round_up(args_.rows, kTileRows) * kSliceColumns; }
  uint16_t* tile_row(size_t m) {
    return const_cast<uint16_t*>(args_.tiles) + m / kTileRows * kTileRows * kSliceColumns +
           m % kTileRows * kTileColumns;
  }
  void clear_spare_rows(size_t rows) {
    for (size_t m = rows; m % kTileRows != 0; ++m) {
      for (size_t k = 0; k < columns_; k += kTileColumns) {
        const size_t tile = k / kSliceColumns * slice_step() + k % kSliceColumns * kTileRows;
        std::fill_n(tile_row(m) + tile, kTileColumns, uint16_t{0});
      }
    }
  }

  // Gate and up blocks stay together.
  size_t unit() const { return call_.gate == Gate::kNone ? 1 : 2; }
  size_t task_count(size_t rows) const {
    const size_t threads = static_cast<size_t>(pool_.threads());
    if (threads == 1) return 1;
    const size_t least = divide_up(kTaskBytes, block_bytes_ * rows);
    const size_t most = std::max<size_t>(1, blocks_ / std::max(least, unit()));
    return std::min(most, rows >= 32 ? blocks_ / kStepBlocks + 1 : threads * kTasksPerThread);
  }
  size_t blocks_in_task(size_t task, size_t tasks) const {
    return blocks_ / unit() * task / tasks * unit() + (task == tasks ? blocks_ % unit() : 0);
  }

  void multiply(size_t first_row, size_t begin, size_t end, int worker) {
    ProductArgs args;
    args.type = call_.weights.type;
    args.block_bytes = block_bytes_;
    args.columns = filled_columns(call_.weights.columns);
    args.inputs = args_;
    args.out = reinterpret_cast<float*>(of_thread(worker));
    args.scratch = of_thread(worker) + raw_bytes_ + columns_ * 4;
    for (size_t block = begin; block < end; block += kStepBlocks) {
      args.block_count = std::min(kStepBlocks, end - block);
      args.out_step = kRawStep;
      args.blocks = call_.weights.data + block * block_bytes_;
      row_.multiply(args);
      for (size_t m = 0; m < args_.rows; ++m) {
        const size_t at = (first_row + m) * call_.output_step;
        finish_row(call_, args.out + m * args.out_step, block * kBlockRows, args.block_count,
                   call_.residual == nullptr ? nullptr : call_.residual + at, call_.output + at);
      }
    }
  }

  const ProductRow& row_;
  const LinearCall& call_;
  ThreadPool& pool_;
  InputForm form_;
  size_t columns_, block_bytes_, blocks_;
  size_t raw_bytes_, thread_bytes_;
  std::byte* inputs_;
  std::byte* threads_;
  Inputs args_;
};

}  // namespace

size_t linear_workspace_bytes(size_t rows, size_t columns, int threads) {
  const size_t group = round_up(std::min(rows, kGroupRows), kTileRows);
  const size_t filled = round_up(columns, kInputColumns);
  return group * input_row_bytes(filled) +
         thread_bytes(group, filled, most_scratch(filled)) * static_cast<size_t>(threads);
}

void linear(const LinearCall& call, std::span<std::byte> workspace, ThreadPool& pool) {
  if (call.rows == 0) return;
  Product(best_row(call.weights.type, call.phase), call, workspace, pool).run();
}

std::span<const ProductRow> product_implementations() { return table(); }
bool product_supported(const ProductRow& row, WeightType type, Phase phase) {
  return runs_here(row) && row.supports(type, phase);
}
bool linear_with(const ProductRow& row, const LinearCall& call, std::span<std::byte> workspace,
                 ThreadPool& pool) {
  if (!product_supported(row, call.weights.type, call.phase)) return false;
  if (call.rows != 0) Product(row, call, workspace, pool).run();
  return true;
}

}  // namespace edgewright::language
