// Views: the store as it was at one revision, for lists and scans that go on while others change it.
//
// A View is opened under the locks of all shards, which fixes its revision and the time that expiries are measured by.
// From then on every shard knows it. What was changed since is kept only where it matters: before an entry of that
// revision or an older one is changed or removed, its older state goes to the view, unless the view has passed the key.
// A number or a string is kept whole. A set or map stays in the table, and the view keeps what its changed elements
// were, so that a change of a large one costs no more than it changes; one that is replaced or removed moves to the
// view. Reading merges the table with what was kept, in the order of the keys, and lets go of what it passes.
//
// What all views keep is bounded: past the bound, the one that keeps the most is overtaken. So is the number of views:
// where there is no place for one more, the one that has stood still for the longest time has to go, if that is long
// enough. Such a view reads no further, and its owner, who is told, closes it.
//
// Lock order: shards in ascending order, then the mutex of Views.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "common/limits.h"
#include "common/model/transaction.h"
#include "common/model/value.h"
#include "common/sync.h"
#include "kvs_server/store/table.h"

namespace kvs::server {

// What a view shows.
struct Selection {
  std::string prefix;
  std::vector<ValueType> types;  // without repetition, ascending
  // Where the first of the types begins; the others begin with the prefix.
  std::string start;
  bool start_is_included = true;
  bool with_values = true;
};

// A key as a view shows it, or a part of one.
struct ViewedKey {
  ValueType type = ValueType::kInt;
  std::string key;
  uint64_t revision = 0;          // of the last change that the view sees
  int64_t expires_at_micros = 0;  // 0 if it lives for ever
  // Of a large collection, some of the elements. Nothing in a view without values, or where the value is yet to be read
  // with ReadValue.
  std::optional<Value> value;
  bool more = false;  // whether the rest of the value follows
};

class View;

// How the store ended a view before its owner did.
enum class ViewEnd {
  kNone,
  kOvertaken,  // more was changed than may be kept
  kStalled,    // it stood still, and another one needed its place
};

// What views may keep, all of them together, and how long one may stand still before it has to make room.
struct ViewBounds {
  size_t max_bytes = kDefaultMaxScanBytes;
  absl::Duration idle_timeout = absl::Seconds(kDefaultScanIdleSeconds);
};

// The open views of a store, and their bounds. Thread-safe.
class Views {
 public:
  explicit Views(const ViewBounds& bounds) : bounds_(bounds) {}

  // TOO_MANY_SCANS if kMaxScans views are open and none of them has stood still for too long.
  absl::Status Add(View* view) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(View* view) ABSL_LOCKS_EXCLUDED(mutex_);

  // A view keeps so many bytes more, or fewer. Past the bound a view is overtaken, which may be another one.
  void Keep(View& view, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGo(View& view, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a view stands still from now on, because nobody takes what it has shown. At first it does not.
  void SetStill(View& view, bool is_still) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t open() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What the views keep that the store has not ended.
  size_t bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // False if there is no place for one more.
  bool MakePlace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(View& view, ViewEnd how) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ViewBounds bounds_;
  mutable Mutex mutex_;
  std::vector<View*> open_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The changed elements of a collection as they were; nothing for those that were not there. Members of a set that
// were there have an empty text.
using OlderElements = absl::btree_map<std::string, std::optional<std::string>>;

// A key as it was, as far as the table does not tell it any more. Not inside of ShardView: clang 19 leaves functions
// out, without a word, that use an initialized member of a template in a class.
template <class T>
struct OlderKey {
  uint64_t revision = 0;
  int64_t expires_at_micros = 0;
  // Null as long as the table still has the value, but for what `elements` tells. Null in a view without values.
  std::shared_ptr<const T> value;
  std::unique_ptr<OlderElements> elements;  // null if there are none
  size_t bytes = 0;                         // what all of it takes
};

// The part of a view that belongs to one shard: how far the view has read there, and what it keeps. The types are read
// one after the other, in all shards at once.
//
// Thread-safety: none; the shard's mutex guards it.
class ShardView {
 public:
  ShardView(View* view, Views* views);

  // Keeps what the view still needs of an entry that is about to be changed so. It may move the value away if the
  // operation replaces or removes it; `moved` is shared by all views of the shard that want it, and empty at first.
  template <class T>
  void Keep(const Table<T>& table, Entry<T>& entry, const Operation& operation, std::shared_ptr<const T>& moved);

  // Begins to read a type, which is the next one of the selection.
  void Begin(ValueType type);

  // These two read nothing once the view is ended: what changed since then was not kept, so that a key they would come
  // to may be gone.

  // Appends the next few keys of the current type, at least one unless others hide all that was looked at. A large
  // value is left out, and is the last one then: it has to be read with ReadValue before anything else.
  template <class T>
  void ReadKeys(const Table<T>& table, std::deque<ViewedKey>* keys);

  // Fills in the value, or its next part, of the key that ReadKeys has left without. `hash` is that of the key.
  template <class T>
  void ReadValue(Table<T>& table, size_t hash, ViewedKey* key);

  // Whether there are no more keys of the current type.
  bool is_at_end() const { return is_at_end_; }

  // Frees at most so many of the keys that it keeps, and counts them down. Only when the view is closed.
  void Free(size_t* max_keys);

 private:
  using Elements = OlderElements;
  template <class T>
  using Older = OlderKey<T>;
  template <class T>
  using Olders = absl::btree_map<std::string, Older<T>, std::less<>>;

  template <class T>
  static size_t KeepElements(const T& value, const Operation& operation, Older<T>& older);
  template <class T>
  static bool CopyElements(const T& value, const Elements* older, size_t max_elements, size_t max_bytes,
                           std::string* after, T* copy);
  template <class T>
  static std::optional<Value> SmallValue(const T& value, const Older<T>* older);
  template <class T>
  typename Olders<T>::iterator LetGo(typename Olders<T>::iterator older);

  // Whether the view is yet to show a key, if it is there.
  bool Needs(ValueType type, absl::string_view key) const;
  void Pass(absl::string_view key);

  View* const view_;
  Views* const views_;
  // Keys less than `at_` are passed, and so is `at_` itself unless it is included.
  ValueType type_{};
  std::string at_;
  bool at_is_included_ = true;
  bool is_at_end_ = false;
  std::string element_;  // the last one that was read of the collection at `at_`; empty at its beginning
  std::tuple<Olders<int64_t>, Olders<uint64_t>, Olders<double>, Olders<StringValue>, Olders<SetValue>, Olders<MapValue>>
      olders_;
};

class View {
 public:
  // `ended` is called when the store ends the view, at most once, by a thread that holds locks of the store: it must
  // not wait, nor call anything of the view or of the store.
  View(Selection selection, Views* views, size_t shards, std::function<void()> ended);
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const Selection& selection() const { return selection_; }
  // The newest revision that the view may show.
  uint64_t revision() const { return revision_; }
  int64_t now_micros() const { return now_micros_; }
  // Whether the store has ended it, and how.
  ViewEnd end() const { return end_.load(std::memory_order_relaxed); }
  bool is_ended() const { return end() != ViewEnd::kNone; }

  ShardView& shard(size_t index) { return shards_[index]; }

  // Frees some of what the view keeps, which takes a few microseconds for each ten keys, and so too long for all of it
  // at once. Returns whether there is more. Only when the view is closed, which no longer counts it.
  bool FreeSome();

 private:
  friend class Store;
  friend class Views;

  const Selection selection_;
  const std::function<void()> ended_;
  uint64_t revision_ = 0;
  int64_t now_micros_ = 0;
  std::atomic<ViewEnd> end_{ViewEnd::kNone};
  // Guarded by the mutex of Views.
  size_t bytes_ = 0;                                 // what it keeps
  absl::Time still_since_ = absl::InfiniteFuture();  // if it stands still
  std::vector<ShardView> shards_;
};

}  // namespace kvs::server
