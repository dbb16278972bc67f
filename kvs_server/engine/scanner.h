// Scanner: reads a view of the store, by type and then in byte order of the keys, a little at a time. No lock is held
// between, and none for long; each shard is read a little ahead, and what comes next is the smallest of their keys.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "kvs_server/journal/journal.h"
#include "kvs_server/store/store.h"
#include "kvs_server/store/view.h"

namespace kvs::server {

// Thread-safety: used by one thread at a time.
class Scanner {
 public:
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

  // Opens a view of this moment and tells at most `max_keys` keys of it. TOO_MANY_SCANS past the limit. `ended` is
  // called when Read can only fail any more, by any thread, which holds locks: it must not wait, nor use the scanner.
  // Both outlive the scanner.
  static absl::StatusOr<std::unique_ptr<Scanner>> Open(Store* store, Journal* journal, Selection selection,
                                                       uint64_t max_keys, std::function<void()> ended);
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // The revision that the view is of, which the journal has given out, but which need not be durable.
  uint64_t revision() const { return revision_; }

  // Calls `visit` with what comes next, as long as it returns true, for about `max_steps` steps of a microsecond each.
  // SCAN_OVERTAKEN if the view was overtaken, SCAN_STALLED if it had to make room.
  absl::Status Read(size_t max_steps, absl::FunctionRef<bool(ViewedKey&&)> visit);

  // The same error, if Read can only fail any more.
  absl::Status status() const;

  // Whether nobody takes what was read, for as long as that is so; a scan that stands still for long may have to make
  // room for others.
  void SetStill(bool is_still) {
    if (is_open_) store_.SetStill(view_.get(), is_still);
  }

  // Whether there is nothing more. The view is closed then.
  bool is_done() const { return !is_open_; }

  // Ends the scan, if that has not happened, and hands over what its view has kept; the caller may free it bit by bit.
  static std::unique_ptr<View> Close(std::unique_ptr<Scanner> scanner);

 private:
  Scanner(Store* store, std::unique_ptr<View> view, uint64_t revision, uint64_t max_keys);

  // Goes on to the next type, or ends.
  void BeginNextType();
  // Reads a shard ahead.
  void Refill();
  // The smallest key at hand, or the next part of its value.
  ViewedKey TakeNext();
  void Push(size_t shard);
  void CloseView();
  bool LaterKey(size_t a, size_t b) const { return ahead_[a].front().key > ahead_[b].front().key; }

  Store& store_;
  std::unique_ptr<View> view_;
  bool is_open_ = true;
  const uint64_t revision_;
  uint64_t keys_left_;
  size_t next_type_ = 0;
  ValueType type_{};                          // the current one
  std::vector<std::deque<ViewedKey>> ahead_;  // by shard, for the current type
  std::vector<size_t> to_refill_;             // shards of which nothing is at hand, though there may be more
  std::vector<size_t> heap_;                  // shards with keys at hand, the one with the smallest key first
};

}  // namespace kvs::server
