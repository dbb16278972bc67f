// Reads a log to its end.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "tests/support/sample_frames.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Everything from a revision on, as one list; the status of the first error.
inline absl::StatusOr<SampleFrame> ReadAll(TxnLog& log, uint64_t from_revision = 1) {
  auto cursor = log.Replay(from_revision);
  if (!cursor.ok()) return cursor.status();
  SampleFrame all{from_revision, 0, ""};
  while (true) {
    const auto frame = (*cursor)->Next();
    if (!frame.ok()) return frame.status();
    if (!frame->has_value()) return all;
    if ((*frame)->first_revision != from_revision + all.count) return absl::InternalError("the cursor skipped some");
    all.count += (*frame)->count;
    all.bytes += std::string((*frame)->transactions);
  }
}

}  // namespace kvs::txn
