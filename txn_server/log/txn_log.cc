#include "txn_server/log/txn_log.h"

#include <absl/strings/str_cat.h>

#include "common/errors.h"

namespace kvs::txn {

absl::Status CheckWriterId(absl::string_view writer_id) {
  if (!writer_id.empty() && writer_id.size() <= kMaxWriterIdBytes) return absl::OkStatus();
  return Error(errors::kMalformedRequest,
               absl::StrCat("a writer id has 1 to ", kMaxWriterIdBytes, " bytes, not ", writer_id.size()));
}

absl::Status ForEachChunk(SnapshotCursor& snapshot, absl::FunctionRef<absl::Status(const SnapshotChunk&)> visit) {
  while (true) {
    const auto chunk = snapshot.Next();
    if (!chunk.ok()) return chunk.status();
    if (!*chunk) return absl::OkStatus();
    if (absl::Status status = visit(**chunk); !status.ok()) return status;
  }
}

}  // namespace kvs::txn
