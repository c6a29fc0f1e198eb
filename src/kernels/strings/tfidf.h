#pragma once

#include "kernels/kernel.h"

namespace edgewright::reference {

// The TfIdfVectorizer operator.
Status tfidf_vectorizer(OpCall& call);

}  // namespace edgewright::reference
