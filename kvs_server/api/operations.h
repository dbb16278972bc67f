// Operations: what the calls on keys do, each defined once. The services of the stores and of Keys serve them one by
// one, Batch many of them together.
//
// The list below names them all: its store and verb, as the messages are named, and its field in the messages of
// proto/kvs/v1/batch.proto. A call that is in a service's proto file but not here has no handler, which the server
// refuses to start with; one that is here but not in batch.proto, or the other way round, does not compile.
#pragma once

#include <absl/strings/string_view.h>

#include <string>
#include <vector>

#include "common/limits.h"
#include "kvs/v1/float_store.pb.h"
#include "kvs/v1/int_store.pb.h"
#include "kvs/v1/keys.pb.h"
#include "kvs/v1/map_store.pb.h"
#include "kvs/v1/set_store.pb.h"
#include "kvs/v1/string_store.pb.h"
#include "kvs/v1/uint_store.pb.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// X(store, verb, field, case)
#define KVS_OPERATIONS(X)                                                   \
  X(IntStore, Put, int_put, IntPut)                                         \
  X(IntStore, Get, int_get, IntGet)                                         \
  X(IntStore, Delete, int_delete, IntDelete)                                \
  X(IntStore, Increment, int_increment, IntIncrement)                       \
  X(IntStore, MultiGet, int_multi_get, IntMultiGet)                         \
  X(IntStore, MultiPut, int_multi_put, IntMultiPut)                         \
  X(IntStore, MultiIncrement, int_multi_increment, IntMultiIncrement)       \
  X(UintStore, Put, uint_put, UintPut)                                      \
  X(UintStore, Get, uint_get, UintGet)                                      \
  X(UintStore, Delete, uint_delete, UintDelete)                             \
  X(UintStore, Increment, uint_increment, UintIncrement)                    \
  X(UintStore, MultiGet, uint_multi_get, UintMultiGet)                      \
  X(UintStore, MultiPut, uint_multi_put, UintMultiPut)                      \
  X(UintStore, MultiIncrement, uint_multi_increment, UintMultiIncrement)    \
  X(FloatStore, Put, float_put, FloatPut)                                   \
  X(FloatStore, Get, float_get, FloatGet)                                   \
  X(FloatStore, Delete, float_delete, FloatDelete)                          \
  X(FloatStore, Increment, float_increment, FloatIncrement)                 \
  X(FloatStore, MultiGet, float_multi_get, FloatMultiGet)                   \
  X(FloatStore, MultiPut, float_multi_put, FloatMultiPut)                   \
  X(FloatStore, MultiIncrement, float_multi_increment, FloatMultiIncrement) \
  X(StringStore, Put, string_put, StringPut)                                \
  X(StringStore, Get, string_get, StringGet)                                \
  X(StringStore, Delete, string_delete, StringDelete)                       \
  X(StringStore, Append, string_append, StringAppend)                       \
  X(StringStore, MultiGet, string_multi_get, StringMultiGet)                \
  X(StringStore, MultiPut, string_multi_put, StringMultiPut)                \
  X(SetStore, Put, set_put, SetPut)                                         \
  X(SetStore, Get, set_get, SetGet)                                         \
  X(SetStore, Delete, set_delete, SetDelete)                                \
  X(SetStore, Add, set_add, SetAdd)                                         \
  X(SetStore, Remove, set_remove, SetRemove)                                \
  X(SetStore, Contains, set_contains, SetContains)                          \
  X(SetStore, Size, set_size, SetSize)                                      \
  X(SetStore, ListMembers, set_list_members, SetListMembers)                \
  X(MapStore, Put, map_put, MapPut)                                         \
  X(MapStore, Get, map_get, MapGet)                                         \
  X(MapStore, Delete, map_delete, MapDelete)                                \
  X(MapStore, PutFields, map_put_fields, MapPutFields)                      \
  X(MapStore, GetFields, map_get_fields, MapGetFields)                      \
  X(MapStore, RemoveFields, map_remove_fields, MapRemoveFields)             \
  X(MapStore, Size, map_size, MapSize)                                      \
  X(MapStore, ListFields, map_list_fields, MapListFields)                   \
  X(Keys, Exists, keys_exists, KeysExists)                                  \
  X(Keys, Delete, keys_delete, KeysDelete)                                  \
  X(Keys, Expire, keys_expire, KeysExpire)                                  \
  X(Keys, Persist, keys_persist, KeysPersist)                               \
  X(Keys, GetExpiry, keys_get_expiry, KeysGetExpiry)

struct StoreOptions {
  size_t max_collection_bytes = kDefaultMaxCollectionBytes;
};

// Where operations take effect, and for whom: each by itself, or all of them in one unit.
class Session {
 public:
  // Each by itself. The engine and the text outlive the session.
  Session(Engine* engine, absl::string_view actor, const StoreOptions& options)
      : engine_(engine), actor_(actor), options_(options) {}
  // In a unit, which outlives the session and was made for their keys. The caller commits it. If it is not atomic, the
  // keys of an operation may fail one by one.
  Session(Unit* unit, const StoreOptions& options, bool is_atomic)
      : unit_(unit), is_atomic_(is_atomic), options_(options) {}

  const StoreOptions& options() const { return options_; }
  // Whether the operations are all or nothing.
  bool is_atomic() const { return is_atomic_; }

  template <class T, class Look>
  Outcome Read(absl::string_view key, Look look) const {
    return unit_ ? unit_->Read<T>(key, HashKey(key), look) : engine_->Read<T>(key, look);
  }
  template <class T, class Evaluate>
  Outcome Mutate(absl::string_view key, const MutationOptions& options, Evaluate evaluate) const {
    return unit_ ? unit_->Mutate<T>(key, HashKey(key), options, evaluate)
                 : engine_->Mutate<T>(actor_, key, options, evaluate);
  }
  // Calls call(Unit&), which returns Outcome, with a unit for operations on keys of these hashes: that of the session,
  // or one of their own. Then what the latter changed is logged and applied, and resolve(const Unit&) is called, where
  // revisions are to be resolved; those of a session's unit are by its owner.
  template <class Call, class Resolve>
  Outcome Several(absl::Span<const size_t> hashes, Call call, Resolve resolve) const {
    if (unit_) return call(*unit_);
    Unit unit = engine_->BeginSeveral(actor_, hashes);
    Outcome outcome = call(unit);
    if (outcome.status.ok()) unit.Commit(&outcome);
    if (outcome.logged) resolve(unit);
    // Also where there are no keys.
    outcome.latest_revision = std::max(outcome.latest_revision, engine_->journal().durable_revision());
    return outcome;
  }

  Outcome Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present) const {
    return unit_ ? unit_->Exists(key, HashKey(key), types, present) : engine_->Exists(key, types, present);
  }
  Outcome Delete(absl::string_view key, const std::vector<ValueType>& types, const Precondition& precondition,
                 std::vector<ValueType>* deleted) const {
    return unit_ ? unit_->Delete(key, HashKey(key), types, precondition, deleted)
                 : engine_->Delete(actor_, key, types, precondition, deleted);
  }

  Outcome SetExpiry(absl::string_view key, const std::vector<ValueType>& types, const MutationOptions& options,
                    std::vector<ValueType>* changed, int64_t* expires_at_micros) const {
    return unit_ ? unit_->SetExpiry(key, HashKey(key), types, options, changed, expires_at_micros)
                 : engine_->SetExpiry(actor_, key, types, options, changed, expires_at_micros);
  }
  Outcome GetExpiry(absl::string_view key, const std::vector<ValueType>& types, std::vector<Expiry>* expiries) const {
    return unit_ ? unit_->GetExpiry(key, HashKey(key), types, expiries) : engine_->GetExpiry(key, types, expiries);
  }

 private:
  Unit* const unit_ = nullptr;
  const bool is_atomic_ = false;
  Engine* const engine_ = nullptr;
  const absl::string_view actor_;
  const StoreOptions options_;
};

// Checks the request and does what it asks for, whatever its request_id is: kvs_server/api/once.h sees to that. The
// response is complete but for `revision` and `latest_revision`, which are in the outcome; it is undefined if that has
// an error. The request outlives what the session does.
#define KVS_DECLARE(store, verb, field, case) \
  Outcome Do(const Session& session, const v1::store##verb##Request& request, v1::store##verb##Response* response);
KVS_OPERATIONS(KVS_DECLARE)
#undef KVS_DECLARE

// The same from the bytes of a request of MultiGet or MultiPut. Nothing, with nothing changed, for any other operation,
// for a request that KeyList or PutList does not read, and for one that fails as a whole: Do tells why.
std::optional<ListAnswer> DoLists(const Session& session, const ListOperation& operation);

// Adds those operations to a service that are calls of it. The engine and the responder outlive it.
void AddOperations(rpc::Service* service, Engine* engine, Responder* responder, const StoreOptions& options);

}  // namespace kvs::server
