// How many files and connections the process may have open.
#pragma once

#include <cstdint>

namespace kvs {

// Takes as many as the hard limit allows, where shells and supervisors often give 1,024 at first: every connection
// needs one, and gRPC accepts none ever again once it has met the limit. Returns how many that is.
uint64_t RaiseFileLimit();

}  // namespace kvs
