#pragma once

#include "kernels/kernel.h"

namespace edgewright::reference {

// LabelEncoder of every version: looks the elements of the input up in a table.
Status label_encoder(OpCall& call);

}  // namespace edgewright::reference
