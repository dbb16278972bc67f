#include "txn_server/log/file/log_point.h"

#include <absl/strings/str_cat.h>

#include "txn_server/log/file/format.h"
#include "txn_server/log/file/header_fields.h"

namespace kvs::txn {
namespace {

namespace field {
constexpr size_t kLogId = 24;
constexpr size_t kSegmentId = 40;
constexpr size_t kOffset = 48;
constexpr size_t kRevision = 56;
constexpr size_t kEpoch = 64;
constexpr size_t kLogCrc = 80;
constexpr size_t kWriterIdBytes = 84;
constexpr size_t kWriterId = 88;
static_assert(kLogId + kLogIdBytes == kSegmentId);
static_assert(kWriterId + kMaxWriterIdBytes == kLogPointEnd);
}  // namespace field

}  // namespace

void PutLogPoint(std::string& header, absl::string_view log_id, const LogPoint& point) {
  PutText(header, field::kLogId, log_id);
  Put64(header, field::kSegmentId, point.segment_id);
  Put64(header, field::kOffset, point.offset);
  Put64(header, field::kRevision, point.revision);
  Put64(header, field::kEpoch, point.epoch);
  Put32(header, field::kLogCrc, point.crc32c);
  Put32(header, field::kWriterIdBytes, static_cast<uint32_t>(point.writer_id.size()));
  PutText(header, field::kWriterId, point.writer_id);
}

std::string GetLogPoint(absl::string_view header, std::string* log_id, LogPoint* point) {
  const uint32_t writer_id_bytes = Get32(header, field::kWriterIdBytes);
  if (writer_id_bytes > kMaxWriterIdBytes) return absl::StrCat("the writer id has ", writer_id_bytes, " bytes");
  *log_id = std::string(header.substr(field::kLogId, kLogIdBytes));
  point->segment_id = Get64(header, field::kSegmentId);
  point->offset = Get64(header, field::kOffset);
  point->revision = Get64(header, field::kRevision);
  point->epoch = Get64(header, field::kEpoch);
  point->crc32c = Get32(header, field::kLogCrc);
  point->writer_id = std::string(header.substr(field::kWriterId, writer_id_bytes));
  return "";
}

}  // namespace kvs::txn
