#include "txn_server/log/file/closed_mark.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "common/crc32c.h"
#include "txn_server/log/file/header_fields.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

// The magic, the versions and the checksum stay where they are in every version.
namespace field {
constexpr size_t kMagic = 0;
constexpr size_t kFormatVersion = 8;
constexpr size_t kMinReaderVersion = 12;
constexpr size_t kCrc = 508;
static_assert(kLogPointEnd <= kCrc);
static_assert(kCrc + 4 == kClosedMarkBytes);
}  // namespace field

}  // namespace

std::string EncodeClosedMark(const ClosedMark& mark) {
  std::string bytes(kClosedMarkBytes, '\0');
  PutText(bytes, field::kMagic, kClosedMarkMagic);
  Put32(bytes, field::kFormatVersion, mark.format_version);
  Put32(bytes, field::kMinReaderVersion, mark.min_reader_version);
  PutLogPoint(bytes, mark.log_id, mark.end);
  Put32(bytes, field::kCrc, Crc32c(absl::string_view(bytes).substr(0, field::kCrc)));
  return bytes;
}

std::string DecodeClosedMark(absl::string_view bytes, ClosedMark* mark) {
  if (bytes.size() != kClosedMarkBytes) return absl::StrCat("the file should have ", kClosedMarkBytes, " bytes");
  if (!absl::StartsWith(bytes, kClosedMarkMagic)) return "this is not the mark of a closed log";
  std::string problem = CheckIntegrity(bytes, field::kCrc);
  if (!problem.empty()) return problem;
  mark->format_version = Get32(bytes, field::kFormatVersion);
  mark->min_reader_version = Get32(bytes, field::kMinReaderVersion);
  if (mark->min_reader_version > kFormatVersion) {
    return absl::StrCat("it needs a program that reads version ", mark->min_reader_version, "; this one reads up to ",
                        kFormatVersion);
  }
  return GetLogPoint(bytes, &mark->log_id, &mark->end);
}

absl::Status WriteClosedMark(FileSystem& file_system, const std::string& directory, const ClosedMark& mark) {
  return WriteFile(file_system, ClosedMarkPath(directory), EncodeClosedMark(mark));
}

absl::StatusOr<FoundClosedMark> ReadClosedMark(FileSystem& file_system, const std::string& directory) {
  const auto file = file_system.OpenForReading(ClosedMarkPath(directory));
  if (!file.ok()) return file.status();
  FoundClosedMark found;
  std::string bytes(kClosedMarkBytes + 1, '\0');
  const auto read = (*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!read.ok()) {
    found.problem = std::string(read.status().message());
    return found;
  }
  bytes.resize(*read);
  found.problem = DecodeClosedMark(bytes, &found.mark);
  return found;
}

absl::Status RemoveClosedMark(FileSystem& file_system, const std::string& directory) {
  if (absl::Status status = file_system.Remove(ClosedMarkPath(directory)); !status.ok()) return status;
  return file_system.SyncDirectory(directory);
}

}  // namespace kvs::txn
