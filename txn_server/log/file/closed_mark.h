// ClosedMark: the file CLOSED, which a clean stop leaves and the next start takes away. It says where the log ended:
// without it, a log whose end was lost could not be told from one that was written no further.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_point.h"

namespace kvs::txn {

// The bytes of the file, as docs/file-format.md describes them.
inline constexpr size_t kClosedMarkBytes = kSectorBytes;
inline constexpr absl::string_view kClosedMarkMagic = "KVSEND\r\n";

struct ClosedMark {
  std::string log_id;  // kLogIdBytes
  LogPoint end;

  uint32_t format_version = kFormatVersion;
  uint32_t min_reader_version = kMinReaderVersion;
};

// kClosedMarkBytes.
std::string EncodeClosedMark(const ClosedMark& mark);
// Returns what is wrong with the bytes, empty if nothing is.
std::string DecodeClosedMark(absl::string_view bytes, ClosedMark* mark);

// Marks a log in `directory` as closed. The mark has its name only when it is durable, and when this returns OK the
// name is durable too. kNoSpace, with nothing left behind, where there is no room.
absl::Status WriteClosedMark(FileSystem& file_system, const std::string& directory, const ClosedMark& mark);

// A mark as it was found.
struct FoundClosedMark {
  ClosedMark mark;
  std::string problem;  // why it cannot be relied on; empty if it can
};
// NOT_FOUND if there is none.
absl::StatusOr<FoundClosedMark> ReadClosedMark(FileSystem& file_system, const std::string& directory);

// Takes the mark away, durably: from then on the log may be written to.
absl::Status RemoveClosedMark(FileSystem& file_system, const std::string& directory);

}  // namespace kvs::txn
