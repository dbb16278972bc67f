#include "txn_server/log/compaction/merge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/model/key_state.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"

namespace kvs::txn {
namespace {

// A source, at one of its transactions.
class Source {
 public:
  Source(std::unique_ptr<SnapshotCursor> cursor, size_t index, TransactionListReader::OnRequest on_request)
      : cursor_(std::move(cursor)), index_(index), list_(std::move(on_request)) {}

  // 0 of the snapshot.
  size_t index() const { return index_; }

  bool at_end() const { return item_ == nullptr; }
  const TransactionListReader::Item& item() const { return *item_; }
  bool IsOf(ValueType type, absl::string_view key) const {
    return item_ != nullptr && item_->transaction.type == type && item_->transaction.key == key;
  }

  absl::Status Advance() {
    while (true) {
      const auto item = list_.Next();
      if (!item.ok()) return item.status();
      item_ = *item;
      if (item_ != nullptr) return absl::OkStatus();
      const auto chunk = cursor_->Next();
      if (!chunk.ok()) return chunk.status();
      if (!*chunk) return absl::OkStatus();
      list_.Reset((*chunk)->transactions);
    }
  }

 private:
  const std::unique_ptr<SnapshotCursor> cursor_;
  const size_t index_;
  TransactionListReader list_;
  const TransactionListReader::Item* item_ = nullptr;  // of list_; null at the end
};

// Whether a comes after b; sources at the same key come in their order.
bool ComesAfter(const Source* a, const Source* b) {
  const Transaction& ours = a->item().transaction;
  const Transaction& theirs = b->item().transaction;
  const int order = Compare(ours.type, ours.key, theirs.type, theirs.key);
  return order != 0 ? order > 0 : a->index() > b->index();
}

class Merger {
 public:
  Merger(std::vector<std::unique_ptr<SnapshotCursor>> cursors, RequestWindow* requests, SnapshotSink sink)
      : requests_(*requests), sink_(sink) {
    for (size_t i = 0; i < cursors.size(); ++i) {
      if (!cursors[i]) continue;
      const auto take = [this](const RememberedRequest& request) { return TakeRequest(request); };
      sources_.push_back(std::make_unique<Source>(std::move(cursors[i]), i, take));
    }
  }

  absl::Status Run() {
    for (const auto& source : sources_) {
      if (absl::Status status = source->Advance(); !status.ok()) return status;
      Queue(source.get());
    }
    if (absl::Status status = WriteRequests(); !status.ok()) return status;
    while (!queue_.empty()) {
      if (absl::Status status = TakeKey(); !status.ok()) return status;
      const bool unchanged = at_key_.size() == 1 && at_key_.front()->index() == 0;
      if (absl::Status status = unchanged ? CopyKey(*at_key_.front()) : FoldKey(); !status.ok()) return status;
      for (Source* source : at_key_) Queue(source);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status TakeRequest(const RememberedRequest& request) {
    if (requests_are_written_) return absl::DataLossError("a remembered request follows a key");
    requests_.Add(request);
    return absl::OkStatus();
  }

  absl::Status WriteRequests() {
    requests_are_written_ = true;
    absl::Status status;
    requests_.ForEach([&](const RememberedRequest& request) {
      if (status.ok()) status = sink_({std::nullopt, false, Encode(request)});
    });
    return status;
  }

  void Queue(Source* source) {
    if (source->at_end()) return;
    queue_.push_back(source);
    std::push_heap(queue_.begin(), queue_.end(), ComesAfter);
  }

  Source* Take() {
    std::pop_heap(queue_.begin(), queue_.end(), ComesAfter);
    Source* source = queue_.back();
    queue_.pop_back();
    return source;
  }

  // Finds the key that comes next and takes the sources that have it out of the queue, in their order.
  absl::Status TakeKey() {
    at_key_.assign(1, Take());
    const Transaction& next = at_key_.front()->item().transaction;
    if (!key_.empty() && !Precedes(type_, key_, next.type, next.key)) {
      return absl::DataLossError("the keys are not in their order");
    }
    type_ = next.type;
    key_.assign(next.key.data(), next.key.size());
    while (!queue_.empty() && queue_.front()->IsOf(type_, key_)) at_key_.push_back(Take());
    return absl::OkStatus();
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
    for (Source* source : at_key_) {
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

  RequestWindow& requests_;
  const SnapshotSink sink_;
  bool requests_are_written_ = false;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Source*> queue_;  // a heap, with the source of the least key in front
  // The key that is being merged, and the sources that have it.
  ValueType type_ = ValueType::kInt;
  std::string key_;
  std::vector<Source*> at_key_;
};

}  // namespace

absl::Status Merge(std::vector<std::unique_ptr<SnapshotCursor>> sources, RequestWindow* requests, SnapshotSink sink) {
  return Merger(std::move(sources), requests, sink).Run();
}

}  // namespace kvs::txn
