#include "kvs_server/store/view.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/errors.h"

namespace kvs::server {
namespace {

// What is looked at under one lock. With all shards, what is read ahead is also what a reader who is slow costs.
constexpr size_t kKeysAtOnce = 16;
constexpr size_t kElementsAtOnce = 500;
constexpr size_t kElementBytesAtOnce = 32 * kKiB;
constexpr size_t kFreedAtOnce = 200;
// Values up to this size are read ahead; larger ones when it is their turn.
constexpr size_t kSmallValueBytes = 4 * kKiB;
constexpr size_t kBytesAtOnce = 8 * kKiB;

// What a key, or an element, takes in the view beside its bytes.
constexpr size_t kOverhead = 160;

template <class T>
constexpr bool kIsCollection = std::is_same_v<T, SetValue> || std::is_same_v<T, MapValue>;

const SetValue::Members& ElementsOf(const SetValue& set) { return set.members(); }
const MapValue::Fields& ElementsOf(const MapValue& map) { return map.fields(); }
absl::string_view NameOf(const std::string& member) { return member; }
absl::string_view NameOf(const MapValue::Fields::value_type& field) { return field.first; }
const std::string& TextOf(const std::string&) {
  static const auto* const kNone = new std::string;
  return *kNone;
}
const std::string& TextOf(const MapValue::Fields::value_type& field) { return field.second; }
void Add(absl::string_view member, const std::string&, SetValue* set) { set->Insert(member); }
void Add(absl::string_view name, const std::string& text, MapValue* map) { map->Put(name, text); }

// The memory of a value, roughly.
template <class T>
size_t BytesOf(const T& value) {
  if constexpr (kIsCollection<T>) {
    return value.bytes() + ElementsOf(value).size() * sizeof(*ElementsOf(value).begin());
  } else if constexpr (std::is_same_v<T, StringValue>) {
    return value.size();
  } else {
    return sizeof(T);
  }
}

// Whether nothing of a value is left after an operation.
bool Drops(const Operation& operation) {
  return std::holds_alternative<operation::Put>(operation) || std::holds_alternative<operation::Delete>(operation);
}

}  // namespace

absl::Status Views::Add(View* view) {
  MutexLock lock(&mutex_);
  if (!MakePlace()) {
    return Error(errors::kTooManyScans,
                 absl::StrCat(kMaxScans, " lists and scans are under way already; try again later"),
                 {{"limit", absl::StrCat(kMaxScans)}});
  }
  open_.push_back(view);
  return absl::OkStatus();
}

bool Views::MakePlace() {
  // Those that were ended are about to be closed.
  size_t places = kMaxScans;
  View* stillest = nullptr;
  for (View* view : open_) {
    if (view->is_ended()) continue;
    --places;
    if (stillest == nullptr || view->still_since_ < stillest->still_since_) stillest = view;
  }
  if (places > 0) return true;
  if (absl::Now() - stillest->still_since_ < bounds_.idle_timeout) return false;
  End(*stillest, ViewEnd::kStalled);
  return true;
}

void Views::SetStill(View& view, bool is_still) {
  MutexLock lock(&mutex_);
  view.still_since_ = is_still ? absl::Now() : absl::InfiniteFuture();
}

void Views::End(View& view, ViewEnd how) {
  view.end_.store(how, std::memory_order_relaxed);
  bytes_ -= view.bytes_;
  view.ended_();
}

void Views::Remove(View* view) {
  MutexLock lock(&mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), view));
  if (!view->is_ended()) bytes_ -= view->bytes_;
}

void Views::Keep(View& view, size_t bytes) {
  MutexLock lock(&mutex_);
  view.bytes_ += bytes;
  if (view.is_ended()) return;
  bytes_ += bytes;
  if (bytes_ <= bounds_.max_bytes) return;
  View* most = &view;
  for (View* other : open_) {
    if (!other->is_ended() && other->bytes_ > most->bytes_) most = other;
  }
  End(*most, ViewEnd::kOvertaken);
}

void Views::LetGo(View& view, size_t bytes) {
  MutexLock lock(&mutex_);
  view.bytes_ -= bytes;
  if (!view.is_ended()) bytes_ -= bytes;
}

size_t Views::open() const {
  MutexLock lock(&mutex_);
  return open_.size();
}

size_t Views::bytes() const {
  MutexLock lock(&mutex_);
  return bytes_;
}

View::View(Selection selection, Views* views, size_t shards, std::function<void()> ended)
    : selection_(std::move(selection)), ended_(std::move(ended)) {
  shards_.reserve(shards);
  for (size_t i = 0; i < shards; ++i) shards_.emplace_back(this, views);
}

bool View::FreeSome() {
  size_t max_keys = kFreedAtOnce;
  for (; !shards_.empty(); shards_.pop_back()) {
    shards_.back().Free(&max_keys);
    if (max_keys == 0) return true;
  }
  return false;
}

ShardView::ShardView(View* view, Views* views) : view_(view), views_(views) {
  const Selection& selection = view_->selection();
  is_at_end_ = selection.types.empty();
  if (is_at_end_) return;
  type_ = selection.types.front();
  const bool starts_later = selection.start >= selection.prefix;
  at_ = starts_later ? selection.start : selection.prefix;
  at_is_included_ = !starts_later || selection.start_is_included;
}

void ShardView::Begin(ValueType type) {
  if (type == type_) return;
  type_ = type;
  at_ = view_->selection().prefix;
  at_is_included_ = true;
  is_at_end_ = false;
}

void ShardView::Free(size_t* max_keys) {
  const auto free = [max_keys](auto& olders) {
    for (; *max_keys > 0 && !olders.empty(); --*max_keys) olders.erase(olders.begin());
  };
  std::apply([&free](auto&... olders) { (free(olders), ...); }, olders_);
}

bool ShardView::Needs(ValueType type, absl::string_view key) const {
  const Selection& selection = view_->selection();
  if (!absl::StartsWith(key, selection.prefix)) return false;
  if (type != type_) {
    return type > type_ && std::binary_search(selection.types.begin(), selection.types.end(), type);
  }
  if (is_at_end_) return false;
  return at_is_included_ ? key >= at_ : key > at_;
}

void ShardView::Pass(absl::string_view key) {
  at_.assign(key.data(), key.size());
  at_is_included_ = false;
}

template <class T>
typename ShardView::Olders<T>::iterator ShardView::LetGo(typename Olders<T>::iterator older) {
  views_->LetGo(*view_, older->second.bytes);
  return std::get<Olders<T>>(olders_).erase(older);
}

// Returns the bytes that it takes. What an earlier operation has noted is older, and stays.
template <class T>
size_t ShardView::KeepElements(const T& value, const Operation& operation, Older<T>& older) {
  if (!older.elements) older.elements = std::make_unique<Elements>();
  size_t bytes = 0;
  const auto keep = [&](absl::string_view name, const std::string* text) {
    const auto [it, is_new] = older.elements->try_emplace(std::string(name));
    if (!is_new) return;
    if (text) it->second = *text;
    bytes += kOverhead + name.size() + (text ? text->size() : 0);
  };
  if constexpr (std::is_same_v<T, SetValue>) {
    if (const auto* add = std::get_if<operation::AddMembers>(&operation)) {
      for (const absl::string_view member : add->members) keep(member, nullptr);
    } else if (const auto* remove = std::get_if<operation::RemoveMembers>(&operation)) {
      const std::string is_there;
      for (const absl::string_view member : remove->members) keep(member, &is_there);
    }
  } else if constexpr (std::is_same_v<T, MapValue>) {
    if (const auto* put = std::get_if<operation::PutFields>(&operation)) {
      for (const auto& [name, text] : put->fields) keep(name, value.Find(name));
    } else if (const auto* remove = std::get_if<operation::RemoveFields>(&operation)) {
      for (const absl::string_view name : remove->names) keep(name, value.Find(name));
    }
  }
  return bytes;
}

template <class T>
void ShardView::Keep(const Table<T>& table, Entry<T>& entry, const Operation& operation,
                     std::shared_ptr<const T>& moved) {
  if (view_->is_ended() || !Needs(kTypeOf<T>, entry.key())) return;
  auto& olders = std::get<Olders<T>>(olders_);
  auto it = olders.find(entry.key());
  size_t bytes = 0;
  if (it == olders.end()) {
    const bool was_there = entry.revision <= view_->revision() && !table.IsExpired(&entry, view_->now_micros());
    if (!was_there) return;
    it = olders.try_emplace(std::string(entry.key())).first;
    it->second.revision = entry.revision;
    it->second.expires_at_micros = table.ExpiryOf(&entry);
    bytes = kOverhead + entry.key().size();
  }
  Older<T>& older = it->second;
  if (older.value) return;
  if (!view_->selection().with_values) {
    // That the key was there is all that it tells.
  } else if (kIsCollection<T> && !Drops(operation)) {
    bytes += KeepElements(entry.value, operation, older);
  } else {
    if (!moved) {
      moved =
          Drops(operation) ? std::make_shared<const T>(std::move(entry.value)) : std::make_shared<const T>(entry.value);
    }
    older.value = moved;
    bytes += BytesOf(*moved);
  }
  if (bytes == 0) return;
  older.bytes += bytes;
  views_->Keep(*view_, bytes);
}

// Goes through the elements after `*after`, which it moves. Returns whether it came to the end.
template <class T>
bool ShardView::CopyElements(const T& value, const Elements* older, size_t max_elements, size_t max_bytes,
                             std::string* after, T* copy) {
  static const auto* const kNone = new Elements;
  const Elements& changed = older ? *older : *kNone;
  const auto& elements = ElementsOf(value);
  auto element = elements.upper_bound(*after);
  auto change = changed.upper_bound(*after);
  size_t count = 0;
  for (size_t bytes = 0; element != elements.end() || change != changed.end(); ++count) {
    const bool is_changed = change != changed.end() && (element == elements.end() || change->first <= NameOf(*element));
    const bool is_there = !is_changed || change->second.has_value();
    const absl::string_view name = is_changed ? absl::string_view(change->first) : NameOf(*element);
    const std::string* const text = !is_there ? nullptr : is_changed ? &*change->second : &TextOf(*element);
    bytes += name.size() + (text ? text->size() : 0);
    if (count > 0 && (count == max_elements || bytes > max_bytes)) return false;
    if (text) Add(name, *text, copy);
    *after = std::string(name);
    if (element != elements.end() && NameOf(*element) == *after) ++element;
    if (is_changed) ++change;
  }
  return true;
}

// Nothing if the value is not small.
template <class T>
std::optional<Value> ShardView::SmallValue(const T& value, const Older<T>* older) {
  if (BytesOf(value) + (older ? older->bytes : 0) > kSmallValueBytes) return std::nullopt;
  if constexpr (kIsCollection<T>) {
    if (older && older->elements) {
      T copy;
      std::string after;
      CopyElements(value, older->elements.get(), SIZE_MAX, SIZE_MAX, &after, &copy);
      return copy;
    }
  }
  return value;
}

template <class T>
void ShardView::ReadKeys(const Table<T>& table, std::deque<ViewedKey>* keys) {
  if (view_->is_ended()) return;
  const Selection& selection = view_->selection();
  auto& olders = std::get<Olders<T>>(olders_);
  auto older = at_is_included_ ? olders.lower_bound(at_) : olders.upper_bound(at_);
  auto entry = table.Seek(at_, at_is_included_);
  size_t bytes = 0;
  for (size_t count = 0; count < kKeysAtOnce && bytes < kBytesAtOnce; ++count) {
    const Entry<T>* const current =
        entry != table.end() && absl::StartsWith((*entry)->key(), selection.prefix) ? *entry : nullptr;
    if (!current && older == olders.end()) {
      is_at_end_ = true;
      return;
    }
    const bool is_older = older != olders.end() && (!current || older->first <= current->key());
    const bool is_current = current && (!is_older || older->first == current->key());
    const absl::string_view key = is_older ? absl::string_view(older->first) : current->key();
    const bool is_shown =
        is_older || (current->revision <= view_->revision() && !table.IsExpired(current, view_->now_micros()));
    if (is_shown) {
      ViewedKey& viewed = keys->emplace_back();
      viewed.type = type_;
      viewed.key = std::string(key);
      viewed.revision = is_older ? older->second.revision : current->revision;
      viewed.expires_at_micros = is_older ? older->second.expires_at_micros : table.ExpiryOf(current);
      if (selection.with_values) {
        const T& value = is_older && older->second.value ? *older->second.value : current->value;
        viewed.value = SmallValue(value, is_older ? &older->second : nullptr);
        if (!viewed.value) {
          Pass(key);
          at_is_included_ = true;
          return;
        }
        bytes += BytesOf(value);
      }
    }
    Pass(key);
    if (is_current) ++entry;
    if (is_older) older = LetGo<T>(older);
  }
}

template <class T>
void ShardView::ReadValue(Table<T>& table, size_t hash, ViewedKey* key) {
  if (view_->is_ended()) return;
  auto& olders = std::get<Olders<T>>(olders_);
  const auto older = olders.find(at_);
  const bool is_older = older != olders.end();
  const T& value = is_older && older->second.value ? *older->second.value : table.Find(at_, hash)->value;
  if constexpr (kIsCollection<T>) {
    const Elements* const changed = is_older ? older->second.elements.get() : nullptr;
    T part;
    key->more = !CopyElements(value, changed, kElementsAtOnce, kElementBytesAtOnce, &element_, &part);
    key->value = std::move(part);
  } else {
    key->more = false;
    key->value = value;
  }
  if (key->more) return;
  element_.clear();
  at_is_included_ = false;
  if (is_older) LetGo<T>(older);
}

#define KVS_INSTANTIATE(T)                                                                                      \
  template void ShardView::Keep(const Table<T>&, Entry<T>&, const Operation&, std::shared_ptr<const T>& moved); \
  template void ShardView::ReadKeys(const Table<T>&, std::deque<ViewedKey>*);                                   \
  template void ShardView::ReadValue(Table<T>&, size_t, ViewedKey*);
KVS_INSTANTIATE(int64_t)
KVS_INSTANTIATE(uint64_t)
KVS_INSTANTIATE(double)
KVS_INSTANTIATE(StringValue)
KVS_INSTANTIATE(SetValue)
KVS_INSTANTIATE(MapValue)
#undef KVS_INSTANTIATE

}  // namespace kvs::server
