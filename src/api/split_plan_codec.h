#pragma once

#include "api/split_subject.h"
#include "edgewright/split.h"
#include "split/choose.h"

namespace edgewright {

// With codecs among the options: finds the best cut for each form of sent activations, measures at
// it what the form does to the answers, and leaves in the subject the sizes of the form that is
// best of those that keep the floor. Fills in the report's codec and codecs.
Status choose_sent_form(const SplitOptions& options, const SplitGoal& goal, SplitSubject& subject,
                        SplitReport& report);

}  // namespace edgewright
