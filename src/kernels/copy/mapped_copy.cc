#include "kernels/copy/mapped_copy.h"

#include <algorithm>
#include <cstring>

#include "kernels/families.h"

namespace edgewright {
namespace {

class MappedCopy : public PreparedKernel {
 public:
  static constexpr size_t kMaxAxes = 16;

  MappedCopy(CopyMap map, size_t element_bytes, int fill_input)
      : map_(std::move(map)), element_bytes_(element_bytes), fill_input_(fill_input) {
    find_run();
    rows_ = 1;
    for (const auto& table : map_.tables) rows_ *= table.size();
    rows_per_task_ = std::max<size_t>(1, 65536 / (run_ * element_bytes_));
  }

  void run(const KernelIo& io) const override {
    const size_t tasks = (rows_ + rows_per_task_ - 1) / rows_per_task_;
    io.pool->parallel_for(tasks, [&](size_t task, int) {
      const size_t first = task * rows_per_task_;
      copy_rows(io, first, std::min(rows_, first + rows_per_task_));
    });
  }

 private:
  // Takes the innermost axes that are copied as they lie off the tables: run_ elements at a time.
  void find_run() {
    while (!map_.tables.empty()) {
      const auto& table = map_.tables.back();
      for (size_t i = 0; i < table.size(); ++i) {
        if (table[i] != static_cast<int64_t>(i * run_)) return;
      }
      run_ *= table.size();
      map_.tables.pop_back();
    }
  }

  void copy_rows(const KernelIo& io, size_t begin, size_t end) const {
    const size_t axes = map_.tables.size();
    size_t index[kMaxAxes] = {};
    size_t rest = begin;
    for (size_t axis = axes; axis-- > 0;) {
      index[axis] = rest % map_.tables[axis].size();
      rest /= map_.tables[axis].size();
    }
    const std::byte* const from = static_cast<const std::byte*>(io.inputs[0]);
    const size_t bytes = run_ * element_bytes_;
    std::byte* to = static_cast<std::byte*>(io.outputs[0]) + begin * bytes;
    for (size_t row = begin; row < end; ++row, to += bytes) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < axes; ++axis) offset += map_.tables[axis][index[axis]];
      if (offset < 0) {
        fill(io, to);
      } else {
        copy_run(from + offset * static_cast<int64_t>(element_bytes_), to, bytes);
      }
      for (size_t axis = axes; axis-- > 0;) {
        if (++index[axis] < map_.tables[axis].size()) break;
        index[axis] = 0;
      }
    }
  }

  static void copy_run(const std::byte* from, std::byte* to, size_t bytes) {
    if (bytes == 4) {
      std::memcpy(to, from, 4);
    } else if (bytes == 8) {
      std::memcpy(to, from, 8);
    } else {
      std::memcpy(to, from, bytes);
    }
  }

  void fill(const KernelIo& io, std::byte* to) const {
    const size_t i = static_cast<size_t>(fill_input_);
    const bool given = fill_input_ >= 0 && i < io.inputs.size() && io.inputs[i] != nullptr;
    for (size_t k = 0; k < run_; ++k, to += element_bytes_) {
      if (given) {
        std::memcpy(to, io.inputs[i], element_bytes_);
      } else {
        std::memset(to, 0, element_bytes_);
      }
    }
  }

  CopyMap map_;
  size_t element_bytes_;
  int fill_input_;
  size_t run_ = 1;
  size_t rows_ = 1, rows_per_task_ = 1;
};

using MapBuilder = Result<CopyMap> (*)(const KernelRequest&);

template <MapBuilder kBuild>
bool supports(const KernelRequest& request) {
  if (request.inputs.empty() || request.outputs.size() != 1 || !is_plain(request) ||
      request.attributes == nullptr) {
    return false;
  }
  const TensorSpec& x = request.inputs[0];
  const TensorSpec& y = request.outputs[0];
  const auto count = checked_element_count(y.dims);
  constexpr int64_t kMost = int64_t{1} << 24;  // entries of a table
  if (x.dtype != y.dtype || copyable_bytes(x.dtype) == 0 || !count.ok() || *count == 0 ||
      y.dims.size() > MappedCopy::kMaxAxes ||
      std::any_of(y.dims.begin(), y.dims.end(), [](int64_t dim) { return dim > kMost; })) {
    return false;
  }
  return kBuild(request).ok();
}

template <MapBuilder kBuild>
Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(CopyMap map, kBuild(request));
  const int fill = request.op == "Pad" ? 2 : -1;
  return Created(
      std::make_unique<MappedCopy>(std::move(map), copyable_bytes(request.inputs[0].dtype), fill));
}

template <MapBuilder kBuild>
constexpr KernelImplementation row(std::string_view name, std::string_view op) {
  return {name, "", op, supports<kBuild>, nullptr, create<kBuild>};
}

constexpr KernelImplementation kImplementations[] = {
    row<slice_map>("slice_mapped", "Slice"),
    row<expand_map>("expand_mapped", "Expand"),
    row<tile_map>("tile_mapped", "Tile"),
    row<pad_map>("pad_mapped", "Pad"),
    row<gather_map>("gather_mapped", "Gather"),
    row<resize_nearest_map>("resize_nearest_mapped", "Resize"),
};

}  // namespace

size_t copyable_bytes(DType dtype) {
  const int bits = dtype_bits(dtype);
  return bits % 8 == 0 ? static_cast<size_t>(bits) / 8 : 0;
}

std::span<const KernelImplementation> mapped_copy_implementations() { return kImplementations; }

}  // namespace edgewright
