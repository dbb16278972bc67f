// How far something is that takes long.
#pragma once

#include <absl/strings/string_view.h>

#include <cstdint>
#include <functional>

namespace kvs::txn {

// Told often, by the thread that does it: what is being done, such as "copying", and how much of how much. May be null.
using ProgressFunction = std::function<void(absl::string_view what, uint64_t done, uint64_t total)>;

}  // namespace kvs::txn
