// Reads the beginning of a file piece by piece.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>

#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// Gives the first `size` bytes to `use`, in pieces; an error of it ends the reading. OutOfRange if the file is shorter.
absl::Status ReadPrefix(File& file, uint64_t size,
                        absl::FunctionRef<absl::Status(uint64_t offset, absl::string_view piece)> use);

// CRC32C of the first `size` bytes. `read` is told of every piece.
absl::StatusOr<uint32_t> PrefixCrc32c(File& file, uint64_t size, absl::FunctionRef<void(uint64_t bytes)> read);

}  // namespace kvs::txn
