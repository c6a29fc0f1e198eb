#pragma once

#include <ostream>
#include <string>

#include "passes/pass.h"

namespace edgewright {

// A graph as text, one pass, and what must come out: the operators that are left, and the same
// numbers. Inputs named w_... are weights: they become constants with seeded random values (those
// named w_var... positive ones).
struct PassCase {
  const char* name;
  PassFunction pass;
  const char* text;
  // "Conv 1, Relu 1": every operator with its number, in the order of their names. "unchanged": the
  // pass must decline.
  const char* after;
  double tolerance = 1e-5;  // relative to the largest output
  PassOptions options = {};
};
inline void PrintTo(const PassCase& test, std::ostream* out) { *out << test.name; }

// Applies the pass once (and removes what is dead), then runs both graphs with the reference
// interpreter on seeded inputs. Empty when all is as expected, else what is not.
std::string check_pass(const PassCase& test);

}  // namespace edgewright
