// RequestWindow: the requests whose answers are remembered, so that a retry takes effect once.
//
// 1. It holds the newest of the requests that were added: as many as fit its bounds. An older one never stays where a
// newer one had to go, so what it holds depends on the requests alone, and not on the order in which they are added.
// 2. Requests go when others are added, never by the passing of time: so a replay ends with what there was before it,
// and a window that is fed from one with wider bounds ends as if it had been fed with all that one was fed with.
// 3. Requests of the same actor and id may be in it: where the first one was forgotten by somebody with narrower
// bounds, its retry was a new one. Find tells the newest.
#pragma once

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "common/limits.h"
#include "common/model/transaction.h"

namespace kvs {

// The defaults are what the ledgers keep.
struct RequestWindowBounds {
  uint64_t count = kMaxRequestWindowCount;
  int64_t age_micros = kMaxRequestWindowMinutes * 60 * 1'000'000;
  size_t bytes = kRequestWindowBytes;  // of actors, ids and responses
};

// Thread-safety: none.
class RequestWindow {
 public:
  explicit RequestWindow(const RequestWindowBounds& bounds = RequestWindowBounds()) : bounds_(bounds) {}
  RequestWindow(const RequestWindow&) = delete;
  RequestWindow& operator=(const RequestWindow&) = delete;

  // Copies what it is given. One that was added before changes nothing.
  void Add(const RememberedRequest& request);

  // The request, or nothing if it is not remembered; borrows from the window.
  std::optional<RememberedRequest> Find(absl::string_view actor, absl::string_view id) const;

  // In the order of their revisions.
  void ForEach(absl::FunctionRef<void(const RememberedRequest&)> visit) const;

  // The revision of the oldest one, 0 if there is none.
  uint64_t oldest_revision() const { return by_revision_.empty() ? 0 : by_revision_.begin()->first; }
  size_t size() const { return by_revision_.size(); }
  size_t bytes() const { return bytes_; }

  void Clear();

 private:
  struct Entry {
    uint64_t revision;
    int64_t time_micros;
    uint64_t command_hash;
    uint32_t revisions;
    uint32_t actor_size;
    uint32_t id_size;
    std::string texts;  // actor, id, response

    absl::string_view actor() const { return absl::string_view(texts).substr(0, actor_size); }
    absl::string_view id() const { return absl::string_view(texts).substr(actor_size, id_size); }
    RememberedRequest View() const;
  };
  struct Name {
    absl::string_view actor;
    absl::string_view id;

    friend bool operator==(const Name& a, const Name& b) { return a.actor == b.actor && a.id == b.id; }
    template <class H>
    friend H AbslHashValue(H hash, const Name& name) {
      return H::combine(std::move(hash), name.actor, name.id);
    }
  };
  static Name NameOf(const Name& name) { return name; }
  static Name NameOf(const Entry* entry) { return {entry->actor(), entry->id()}; }
  struct Hash {
    using is_transparent = void;
    template <class T>
    size_t operator()(const T& named) const {
      return absl::Hash<Name>{}(NameOf(named));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return NameOf(a) == NameOf(b);
    }
  };

  bool IsOverBounds() const;
  void RemoveOldest();

  const RequestWindowBounds bounds_;
  std::map<uint64_t, Entry> by_revision_;
  absl::flat_hash_set<const Entry*, Hash, Equal> by_name_;  // the newest of each name
  size_t bytes_ = 0;
  uint64_t forgotten_revision_ = 0;  // what is up to here had to go
};

}  // namespace kvs
