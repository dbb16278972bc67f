#include "kvs_server/engine/scanner.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "common/errors.h"

namespace kvs::server {
namespace {

// How many keys that are at hand cost as much as reading a shard ahead.
constexpr size_t kRefillSteps = 8;

// Returns call(Table<T>&) with the table of a type.
template <class Call>
auto WithTable(Shard& shard, ValueType type, Call call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex()) {
  switch (type) {
    case ValueType::kInt:
      return call(shard.table<int64_t>());
    case ValueType::kUint:
      return call(shard.table<uint64_t>());
    case ValueType::kFloat:
      return call(shard.table<double>());
    case ValueType::kString:
      return call(shard.table<StringValue>());
    case ValueType::kSet:
      return call(shard.table<SetValue>());
    case ValueType::kMap:
      return call(shard.table<MapValue>());
  }
  std::abort();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Scanner>> Scanner::Open(Store* store, Journal* journal, Selection selection,
                                                       uint64_t max_keys, std::function<void()> ended) {
  // What is durable now is in the store when all of it is locked. Of revisions that left no key nothing else may tell.
  const uint64_t durable = journal->durable_revision();
  auto view = store->OpenView(std::move(selection), [journal] { return journal->NowMicros(); }, std::move(ended));
  if (!view.ok()) return view.status();
  const uint64_t revision = std::max(durable, (*view)->revision());
  return std::unique_ptr<Scanner>(new Scanner(store, *std::move(view), revision, max_keys));
}

Scanner::Scanner(Store* store, std::unique_ptr<View> view, uint64_t revision, uint64_t max_keys)
    : store_(*store),
      view_(std::move(view)),
      revision_(revision),
      keys_left_(max_keys),
      ahead_(store->shards().size()) {}

Scanner::~Scanner() { CloseView(); }

void Scanner::CloseView() {
  if (is_open_) store_.CloseView(view_.get());
  is_open_ = false;
}

std::unique_ptr<View> Scanner::Close(std::unique_ptr<Scanner> scanner) {
  scanner->CloseView();
  return std::move(scanner->view_);
}

void Scanner::BeginNextType() {
  const std::vector<ValueType>& types = view_->selection().types;
  if (next_type_ == types.size()) return CloseView();
  type_ = types[next_type_++];
  for (size_t i = 0; i < ahead_.size(); ++i) {
    MutexLock lock(&store_.shards()[i].mutex());
    view_->shard(i).Begin(type_);
    to_refill_.push_back(i);
  }
}

void Scanner::Push(size_t shard) {
  heap_.push_back(shard);
  std::push_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
}

void Scanner::Refill() {
  const size_t index = to_refill_.back();
  ShardView& part = view_->shard(index);
  {
    Shard& shard = store_.shards()[index];
    MutexLock lock(&shard.mutex());
    if (!part.is_at_end()) {
      WithTable(shard, type_, [&](const auto& table) { part.ReadKeys(table, &ahead_[index]); });
    }
    if (ahead_[index].empty() && !part.is_at_end()) return;
  }
  to_refill_.pop_back();
  if (!ahead_[index].empty()) Push(index);
}

ViewedKey Scanner::TakeNext() {
  std::pop_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
  const size_t index = heap_.back();
  heap_.pop_back();
  ViewedKey& next = ahead_[index].front();
  if (view_->selection().with_values && !next.value) {
    const size_t hash = HashKey(next.key);
    Shard& shard = store_.shards()[index];
    MutexLock lock(&shard.mutex());
    WithTable(shard, type_, [&](auto& table) { view_->shard(index).ReadValue(table, hash, &next); });
  }
  if (next.more) {
    std::optional<Value> value = std::exchange(next.value, std::nullopt);
    ViewedKey part = next;
    part.value = std::move(value);
    Push(index);
    return part;
  }
  ViewedKey taken = std::move(next);
  ahead_[index].pop_front();
  if (ahead_[index].empty()) {
    to_refill_.push_back(index);
  } else {
    Push(index);
  }
  return taken;
}

absl::Status Scanner::status() const {
  if (!is_open_) return absl::OkStatus();
  switch (view_->end()) {
    case ViewEnd::kNone:
      break;
    case ViewEnd::kOvertaken:
      return Error(errors::kScanOvertaken,
                   "the list or scan was overtaken: more was changed since it began than --max-scan-bytes lets the "
                   "server keep; try again, read faster, or ask for less, by a longer prefix or fewer types");
    case ViewEnd::kStalled:
      return Error(errors::kScanStalled,
                   "the list or scan stood still for longer than --scan-idle-timeout, since its client took nothing, "
                   "and had to make room for another one; try again, and read without long pauses");
  }
  return absl::OkStatus();
}

absl::Status Scanner::Read(size_t max_steps, absl::FunctionRef<bool(ViewedKey&&)> visit) {
  for (size_t step = 0; step < max_steps && is_open_; ++step) {
    std::optional<ViewedKey> next;
    if (!to_refill_.empty()) {
      Refill();
      step += kRefillSteps - 1;
    } else if (heap_.empty()) {
      BeginNextType();
    } else {
      next = TakeNext();
    }
    // Looked at after the shard was: nothing was kept there since the view was ended.
    if (absl::Status ended = status(); !ended.ok()) return ended;
    if (!next) continue;
    if (!next->more && --keys_left_ == 0) CloseView();
    if (!visit(*std::move(next))) break;
  }
  return absl::OkStatus();
}

}  // namespace kvs::server
