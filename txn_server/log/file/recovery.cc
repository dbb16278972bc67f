#include "txn_server/log/file/recovery.h"

#include <absl/strings/str_cat.h>

#include <memory>

#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

std::string Describe(const TornTail& torn) {
  const std::string revisions =
      torn.count == 0
          ? absl::StrCat("nobody knows which revisions it held, they began at ", torn.first_revision)
          : absl::StrCat("it held revisions ", torn.first_revision, " to ", torn.first_revision + torn.count - 1);
  return absl::StrCat("cut a torn frame off ", torn.path, " at offset ", torn.offset, " (", torn.end - torn.offset,
                      " bytes; ", torn.why,
                      "): it looks as after a crash while it was written, before it was acknowledged; ", revisions);
}

// Where the last thing that was written to a segment begins: its last frame, or its header.
uint64_t LastWrite(const LogScan& scan) {
  const SegmentSummary& last = scan.segments.back();
  return last.frames == 0 ? 0 : scan.last_frame->offset;
}

absl::Status RewriteEnd(File& file, const LogScan& scan) {
  const SegmentSummary& last = scan.segments.back();
  const uint64_t begin = LastWrite(scan);
  std::string bytes(last.valid_bytes - begin, '\0');
  const auto read = file.ReadAt(begin, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  if (*read < bytes.size()) return absl::DataLossError(absl::StrCat(last.path, " became shorter while it was read"));
  if (absl::Status status = file.WriteAt(begin, {bytes}); !status.ok()) return status;
  if (absl::Status status = WriteZeros(file, last.valid_bytes, last.header.segment_bytes); !status.ok()) return status;
  return file.Sync();
}

}  // namespace

absl::Status Recover(FileSystem& file_system, const std::string& directory,
                     const std::function<void(const std::string&)>& notice, LogScan& scan) {
  auto file = file_system.OpenForWriting(scan.segments.back().path);
  if (!file.ok()) return file.status();
  if (absl::Status status = RewriteEnd(**file, scan); !status.ok()) return status;
  if (absl::Status status = file_system.SyncDirectory(directory); !status.ok()) return status;
  if (scan.torn) notice(Describe(*scan.torn));
  scan.torn.reset();
  for (size_t i = 0; i + 1 < scan.segments.size(); ++i) CutFinishedSegment(file_system, notice, scan.segments[i]);
  return absl::OkStatus();
}

void CutFinishedSegment(FileSystem& file_system, const std::function<void(const std::string&)>& notice,
                        SegmentSummary& segment) {
  if (segment.file_bytes == segment.valid_bytes) return;
  auto file = file_system.OpenForWriting(segment.path);
  const absl::Status status = file.ok() ? (*file)->Truncate(segment.valid_bytes) : file.status();
  if (status.ok()) {
    segment.file_bytes = segment.valid_bytes;
  } else {
    notice(absl::StrCat("could not give back the unused end of ", segment.path, ": ", status.message()));
  }
}

}  // namespace kvs::txn
