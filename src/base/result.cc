#include "base/result.h"

#include <stdexcept>

namespace edgewright {

void check_failure(const char* condition, const char* file, int line) {
  throw std::logic_error(fmt::format("broken invariant: {} ({}:{})", condition, file, line));
}

}  // namespace edgewright
