#include "txn_server/log/txn_log.h"

#include <absl/strings/str_cat.h>

#include <vector>

#include "common/errors.h"

namespace kvs::txn {
namespace {

class FrameList final : public LogGroup {
 public:
  explicit FrameList(TxnLog* log) : log_(*log) {}

  void Add(const Frame& frame) override { frames_.push_back(frame); }
  absl::Status Append(uint64_t epoch) override { return log_.Append(epoch, frames_); }

 private:
  TxnLog& log_;
  std::vector<Frame> frames_;
};

}  // namespace

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

std::unique_ptr<LogGroup> TxnLog::NewGroup() { return std::make_unique<FrameList>(this); }

}  // namespace kvs::txn
