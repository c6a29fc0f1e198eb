#pragma once

#include <cstdint>
#include <span>

namespace edgewright {

// Exact two-sided McNemar test for paired yes/no outcomes (McNemar 1947; exact form: binomial test
// of the discordant pairs against 1/2). `only_reference` and `only_candidate` are the samples that
// just one side got right. Returns the p-value; 1 when both agree everywhere.
double mcnemar_p_value(int64_t only_reference, int64_t only_candidate);

// Two-sided paired Student t-test that the mean of `differences` is zero. 1 for fewer than two
// differences or when all are zero; 0 when all are the same non-zero number.
double paired_t_p_value(std::span<const double> differences);

}  // namespace edgewright
