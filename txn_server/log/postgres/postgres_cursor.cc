#include "txn_server/log/postgres/postgres_cursor.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/window_reader.h"

namespace kvs::txn {
namespace {

const std::string& kWindowEnd =
    *new std::string("SELECT last_id FROM replay_windows WHERE last_id >= $1::bigint ORDER BY last_id LIMIT 1");

class PostgresCursor : public LogCursor {
 public:
  PostgresCursor(std::unique_ptr<Connection> connection, uint64_t first, uint64_t last)
      : connection_(std::move(connection)), next_(first), next_window_(first), last_(last) {
    Prefetch();
  }

  absl::StatusOr<std::optional<Frame>> Next() override {
    frame_ = std::exchange(unit_, {});
    while (frame_.bytes.size() < kTargetFrameBytes) {
      const auto more = ReadUnit();
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (frame_.count > 0 && frame_.bytes.size() + unit_.bytes.size() > kMaxFrameBytes) break;
      frame_.count += unit_.count;
      frame_.bytes += unit_.bytes;
      unit_ = {};
    }
    if (frame_.count == 0) return std::nullopt;
    const Frame frame{next_, frame_.count, frame_.bytes};
    next_ += frame_.count;
    return frame;
  }

 private:
  struct Part {
    uint32_t count = 0;
    std::string bytes;
  };

  absl::StatusOr<Window> ReadWindow(uint64_t first) {
    const auto end = connection_->Exec(kWindowEnd, {BinaryBigint(first)});
    if (!end.ok()) return end.status();
    uint64_t last = last_;
    if (!end->empty() && absl::SimpleAtoi(TextOf((*end)[0][0]), &last)) last = std::min(last, last_);
    return Window::Read(*connection_, first, last);
  }

  // Begins to read the next window, if there is one.
  void Prefetch() {
    if (next_window_ > last_) return;
    coming_ = std::async(std::launch::async, [this, first = next_window_] { return ReadWindow(first); });
  }

  absl::StatusOr<std::optional<Transaction>> NextTransaction() {
    while (true) {
      if (window_) {
        auto transaction = window_->Next();
        if (!transaction.ok() || *transaction) return transaction;
      }
      if (!coming_.valid()) return std::nullopt;
      auto window = coming_.get();
      if (!window.ok()) return window.status();
      if (window_) window->Follow(window_->time_micros());
      window_.emplace(*std::move(window));
      next_window_ = window_->last() + 1;
      Prefetch();
    }
  }

  // Reads a transaction that stands alone, or a whole batch, into `unit_`. False at the end.
  absl::StatusOr<bool> ReadUnit() {
    bool in_batch = true;
    while (in_batch) {
      const auto transaction = NextTransaction();
      if (!transaction.ok()) return transaction.status();
      if (!*transaction) return false;
      EncodedTransaction encoded(**transaction);
      encoded.Stamp((*transaction)->revision, (*transaction)->time_micros);
      ++unit_.count;
      unit_.bytes += encoded.bytes();
      in_batch = (*transaction)->batch_remaining > 0;
    }
    return true;
  }

  const std::unique_ptr<Connection> connection_;
  uint64_t next_;         // the first revision of the next frame
  uint64_t next_window_;  // that of the next window
  const uint64_t last_;
  std::optional<Window> window_;
  Part frame_;
  Part unit_;  // read, but not part of a frame yet
  // Uses the connection until it is ready. Last, so that it ends before what it uses.
  std::future<absl::StatusOr<Window>> coming_;
};

}  // namespace

std::unique_ptr<LogCursor> MakePostgresCursor(std::unique_ptr<Connection> connection, uint64_t first, uint64_t last) {
  return std::make_unique<PostgresCursor>(std::move(connection), first, last);
}

}  // namespace kvs::txn
