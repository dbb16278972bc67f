#include "txn_server/log/compaction/merge.h"

#include <string>
#include <utility>

#include "common/model/key_state.h"
#include "common/model/transaction_codec.h"
#include "txn_server/log/compaction/transaction_list.h"

namespace kvs::txn {
namespace {

// A source, at one of its transactions.
class Source {
 public:
  explicit Source(std::unique_ptr<SnapshotCursor> cursor) : cursor_(std::move(cursor)) {}

  bool at_end() const { return !item_; }
  const TransactionListReader::Item& item() const { return *item_; }
  bool IsOf(ValueType type, absl::string_view key) const {
    return item_ && item_->transaction.type == type && item_->transaction.key == key;
  }

  absl::Status Advance() {
    while (true) {
      auto item = list_.Next();
      if (!item.ok()) return item.status();
      item_ = *std::move(item);
      if (item_) return absl::OkStatus();
      const auto chunk = cursor_->Next();
      if (!chunk.ok()) return chunk.status();
      if (!*chunk) return absl::OkStatus();
      list_.Reset((*chunk)->transactions);
    }
  }

 private:
  const std::unique_ptr<SnapshotCursor> cursor_;
  TransactionListReader list_;
  std::optional<TransactionListReader::Item> item_;  // empty at the end
};

class Merger {
 public:
  Merger(std::vector<std::unique_ptr<SnapshotCursor>> sources, SnapshotSink sink)
      : has_base_(sources.front() != nullptr), sink_(sink) {
    for (auto& cursor : sources) {
      if (cursor) sources_.push_back(std::make_unique<Source>(std::move(cursor)));
    }
  }

  absl::Status Run() {
    for (const auto& source : sources_) {
      if (absl::Status status = source->Advance(); !status.ok()) return status;
    }
    while (FindLeast()) {
      if (absl::Status status = MergeKey(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  // Finds the key that comes next, and whether only the snapshot has it. False at the end of all sources.
  bool FindLeast() {
    const Source* least = nullptr;
    bool alone = true;
    for (const auto& source : sources_) {
      if (source->at_end()) continue;
      const Transaction& candidate = source->item().transaction;
      if (!least) {
        least = source.get();
        continue;
      }
      const Transaction& best = least->item().transaction;
      if (Precedes(candidate.type, candidate.key, best.type, best.key)) {
        least = source.get();
        alone = true;
      } else if (source->IsOf(best.type, best.key)) {
        alone = false;
      }
    }
    if (!least) return false;
    unchanged_ = alone && has_base_ && least == sources_.front().get();
    const Transaction& next = least->item().transaction;
    if (any_ && !Precedes(type_, key_, next.type, next.key)) disordered_ = true;
    any_ = true;
    type_ = next.type;
    key_.assign(next.key.data(), next.key.size());
    return true;
  }

  absl::Status MergeKey() {
    if (disordered_) return absl::DataLossError("the keys are not in their order");
    return unchanged_ ? CopyKey(*sources_.front()) : FoldKey();
  }

  absl::Status CopyKey(Source& source) {
    for (bool first = true; source.IsOf(type_, key_); first = false) {
      if (absl::Status status = sink_({type_, first, source.item().entry}); !status.ok()) return status;
      if (absl::Status status = source.Advance(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status FoldKey() {
    KeyState state;
    for (const auto& source : sources_) {
      while (source->IsOf(type_, key_)) {
        if (absl::Status status = state.Apply(source->item().transaction); !status.ok()) return status;
        if (absl::Status status = source->Advance(); !status.ok()) return status;
      }
    }
    absl::Status status;
    bool first = true;
    state.ForEachTransaction(key_, [&](const Transaction& transaction) {
      if (!status.ok()) return;
      EncodedTransaction encoded(transaction);
      encoded.Stamp(transaction.revision, transaction.time_micros);
      status = sink_({type_, std::exchange(first, false), encoded.bytes()});
    });
    return status;
  }

  const bool has_base_;
  const SnapshotSink sink_;
  std::vector<std::unique_ptr<Source>> sources_;
  // The key that is being merged.
  ValueType type_ = ValueType::kInt;
  std::string key_;
  bool any_ = false;
  bool unchanged_ = false;
  bool disordered_ = false;
};

}  // namespace

absl::Status Merge(std::vector<std::unique_ptr<SnapshotCursor>> sources, SnapshotSink sink) {
  return Merger(std::move(sources), sink).Run();
}

}  // namespace kvs::txn
