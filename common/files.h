// Small files, read and written as a whole: certificates, keys, configuration.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <sys/types.h>

#include <cstddef>
#include <string>

namespace kvs {

// The contents of a file of at most `max_bytes`. Errors name the file: NOT_FOUND, or FAILED_PRECONDITION when it cannot
// be read, is a directory or is larger.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes);

// Replaces the file: a reader, or a start after a crash, sees all of the old or all of the new contents. Written under
// a temporary name in the same directory, synced, renamed. Errors name the file.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, mode_t mode);

// Makes the directory and those above it that are missing, each with this mode. One that exists is left as it is.
absl::Status MakeDirectories(const std::string& path, mode_t mode);

}  // namespace kvs
