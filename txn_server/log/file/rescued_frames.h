// RescuedFrames: what can still be read of the segments of a damaged ledger.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/segment_reader.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A place that cannot be read, and the transactions that are missing because of it.
struct Loss {
  std::string path;
  uint64_t offset = 0;
  uint64_t first_revision = 0;  // 0 if no transaction is missing
  uint64_t last_revision = 0;   // 0 if nothing that follows tells how many are missing
  std::string what;             // for people
  uint64_t changed_up_to = 0;   // keys are missing whose last change has at most this revision; 0 if none are
};

// Where reading begins, and what it goes by.
struct RescueStart {
  std::string log_id;              // segments of other logs are left out
  uint64_t segment_id = 1;         // the first one that there should be
  uint64_t revision = 0;           // before its first transaction, as far as snapshots tell
  std::vector<uint64_t> existing;  // ids of the segments that there are, ascending
};

// Reads segment by segment, and goes on behind what is damaged with the next frame that is whole. Where a file cannot
// be read, its bytes count as zeros. Used by one thread.
class RescuedFrames : public LogCursor {
 public:
  // `file_system` is borrowed.
  RescuedFrames(FileSystem& file_system, std::string directory, RescueStart start);
  ~RescuedFrames() override;

  // The next transactions: revisions grow, and may skip some. Never an error.
  absl::StatusOr<std::optional<Frame>> Next() override;

  // What was found so far; all of it once Next has come to the end.
  const std::vector<Loss>& losses() const { return losses_; }
  uint64_t last_revision() const { return reached_; }
  // From here to last_revision nothing is missing.
  uint64_t run_start() const { return run_start_; }
  uint64_t epoch() const { return epoch_; }
  const std::string& writer_id() const { return writer_id_; }
  uint64_t segment_bytes() const { return segment_bytes_; }  // of the largest one, 0 if there is none
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Segment;

  void OpenSegment(uint64_t id);
  void BeginSegment(const SegmentHeader& header, uint32_t crc32c);
  // Goes to the next frame that seems to be whole. False if there is none in the segment.
  bool SkipDamage(const FrameReading& reading);
  bool IsEndOfSegment(const FrameReading& reading);
  // Takes a frame; whether it has transactions to give.
  bool Take(const StoredFrame& frame);
  void NoteEpoch(uint64_t epoch, const std::string& writer_id);
  void NoteDamage(const std::string& path, uint64_t offset, std::string what);
  // The log goes on with this revision: all before it and behind what was reached is missing.
  void GoOnAt(uint64_t revision);
  // Reports the damage that nothing was found behind.
  void CloseDamage(uint64_t next_revision);
  void Finish();
  // What tells that the log went on behind the last segment that was read: that it has frames and no successor, or was
  // cut behind them.
  std::optional<Loss> MissingEnd() const;

  FileSystem& file_system_;
  const std::string directory_;
  const RescueStart start_;
  uint64_t next_id_;
  uint64_t last_id_;
  std::unique_ptr<Segment> segment_;  // null between two of them
  bool finished_ = false;

  std::vector<Loss> losses_;
  std::optional<Loss> damage_;  // of which the revisions are not known yet
  std::optional<Loss> end_;     // where the last segment ended, should something be missing there
  uint64_t end_id_ = 0;         // of that segment, 0 if there is none
  bool end_is_cut_ = false;     // whether it is shorter than it was made
  uint64_t reached_;
  uint64_t run_start_;
  uint64_t epoch_ = 0;
  std::string writer_id_;
  uint64_t segment_bytes_ = 0;
  uint64_t bytes_read_ = 0;
};

}  // namespace kvs::txn
