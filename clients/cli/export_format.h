// The lines that `kvs export` writes and `kvs import` reads, each a JSON object: first {"export":{"revision":"29"}},
// then the entries of Keys.Scan by the JSON mapping of protobuf, one a line, and at the end {"end":{"keys":"5"}},
// without which an export is not whole. docs/cli.md tells users.
#pragma once

#include <absl/strings/string_view.h>

namespace kvs::cli {

inline constexpr absl::string_view kExportBegin = "export";
inline constexpr absl::string_view kExportEnd = "end";

}  // namespace kvs::cli
