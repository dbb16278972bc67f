#include "tests/support/reference_model.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

#include "common/rpc/status.h"
#include "kvs_server/api/operations.h"
#include "tests/support/api_client.h"

namespace kvs {
namespace {

using google::protobuf::util::TimeUtil;

// Why an operation changes nothing: code and reason, as CodeAndReason tells them.
struct Refusal {
  absl::StatusCode code;
  std::string reason;

  std::string Text() const { return absl::StrCat(absl::StatusCodeToString(code), " ", reason); }
};

Refusal Invalid(const std::string& reason) { return {absl::StatusCode::kInvalidArgument, reason}; }
Refusal NotFound() { return {absl::StatusCode::kNotFound, "KEY_NOT_FOUND"}; }

// A refusal as the status that ResultText makes a line of.
google::rpc::Status ToProto(const Refusal& refusal) {
  google::rpc::Status status;
  status.set_message(refusal.Text());
  return status;
}

const v1::ValueType kAllTypes[] = {v1::VALUE_TYPE_INT,    v1::VALUE_TYPE_UINT, v1::VALUE_TYPE_FLOAT,
                                   v1::VALUE_TYPE_STRING, v1::VALUE_TYPE_SET,  v1::VALUE_TYPE_MAP};

// The type that a request of a store is about.
template <class Request>
v1::ValueType TypeOf() {
  static const v1::ValueType type = [] {
    for (const v1::ValueType candidate : kAllTypes) {
      const std::string store = absl::AsciiStrToLower(v1::ValueType_Name(candidate).substr(sizeof("VALUE_TYPE")));
      const std::string request = absl::AsciiStrToLower(Request::descriptor()->name());
      if (absl::StartsWith(request, store + "store")) return candidate;
    }
    return v1::VALUE_TYPE_UNSPECIFIED;
  }();
  return type;
}

template <class Request>
std::vector<v1::ValueType> TypesOf(const Request& request) {
  std::vector<v1::ValueType> types;
  for (const v1::ValueType type : kAllTypes) {
    const auto& wanted = request.types();
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), type) != wanted.end()) types.push_back(type);
  }
  return types;
}

// Tells a command from any other one, in whatever order the fields of its maps are.
std::string CommandOf(const google::protobuf::Message& request) {
  std::string command = request.GetTypeName();
  google::protobuf::io::StringOutputStream stream(&command);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  request.SerializeToCodedStream(&out);
  out.Trim();
  return command;
}

void CheckKey(const std::string& key) {
  if (key.empty()) throw Invalid("INVALID_KEY");
}

template <class Request>
auto Required(const Request& request) {
  if (!request.has_value()) throw Invalid("MISSING_FIELD");
  return request.value();
}

int64_t CheckTtl(const google::protobuf::Duration& ttl) {
  const int64_t micros = TimeUtil::DurationToMicroseconds(ttl);
  if (micros <= 0) throw Invalid("INVALID_TTL");
  return micros;
}

// What increments make of a number, and whether that is in its range.
bool Add(int64_t value, int64_t delta, int64_t* sum) { return !__builtin_add_overflow(value, delta, sum); }
bool Add(uint64_t value, uint64_t delta, uint64_t* sum) { return !__builtin_add_overflow(value, delta, sum); }
bool Add(double value, double delta, double* sum) {
  *sum = delta == 0 ? value : value + delta;
  return std::isfinite(*sum);
}
bool Subtract(uint64_t value, uint64_t delta, uint64_t* difference) {
  return !__builtin_sub_overflow(value, delta, difference);
}

template <class T>
void CheckFinite(T value) {
  if (!std::isfinite(static_cast<double>(value))) throw Invalid("NOT_FINITE");
}

}  // namespace

std::string* MutableRequestId(v1::BatchOperation& operation) {
  const auto id_of = [](auto* request) -> std::string* {
    if constexpr (requires { request->mutable_request_id(); }) return request->mutable_request_id();
    return nullptr;
  };
  switch (operation.operation_case()) {
#define KVS_CASE(store, verb, field, case_name) \
  case v1::BatchOperation::k##case_name:        \
    return id_of(operation.mutable_##field());
    KVS_OPERATIONS(KVS_CASE)
#undef KVS_CASE
    case v1::BatchOperation::OPERATION_NOT_SET:
      break;
  }
  return nullptr;
}

std::string ResultText(const v1::BatchResult& result) {
  if (result.has_error()) return CodeAndReason(rpc::FromProto(result.error()));
  v1::BatchResult brief = result;
  const auto* response = brief.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  response->ListFields(brief, &fields);
  for (const auto* field : fields) {
    auto* message = response->MutableMessage(&brief, field);
    const auto* errors = message->GetDescriptor()->FindFieldByName("errors");
    if (!errors) continue;
    for (int i = 0; i < message->GetReflection()->FieldSize(*message, errors); ++i) {
      auto* error = static_cast<v1::KeyErrors*>(message->GetReflection()->MutableRepeatedMessage(message, errors, i));
      if (error->status().details_size() == 0) continue;
      const std::string text = CodeAndReason(rpc::FromProto(error->status()));
      error->mutable_status()->Clear();
      error->mutable_status()->set_message(text);
    }
  }
  return TextOf(brief);
}

// One operation or one atomic batch.
class ModelRun {
 public:
  ModelRun(ReferenceModel* model, bool is_atomic)
      : state_(model->state_),
        now_micros_(model->now_micros_),
        is_atomic_(is_atomic),
        first_revision_(model->state_.revision + 1) {}

  v1::BatchResult Do(const v1::BatchOperation& operation) {
    v1::BatchResult result;
    switch (operation.operation_case()) {
#define KVS_CASE(store, verb, field, case_name)      \
  case v1::BatchOperation::k##case_name:             \
    Do(operation.field(), result.mutable_##field()); \
    break;
      KVS_OPERATIONS(KVS_CASE)
#undef KVS_CASE
      case v1::BatchOperation::OPERATION_NOT_SET:
        throw Invalid("MISSING_FIELD");
    }
    return result;
  }

 private:
  using Item = ReferenceModel::Item;
  using Set = std::set<std::string>;
  using Map = std::map<std::string, std::string>;

  Item* Find(v1::ValueType type, const std::string& key) {
    const auto it = state_.items.find({type, key});
    if (it == state_.items.end()) return nullptr;
    const int64_t expires = it->second.expires_at_micros;
    return expires != 0 && expires <= now_micros_ ? nullptr : &it->second;
  }
  uint64_t RevisionOf(v1::ValueType type, const std::string& key) {
    const Item* item = Find(type, key);
    return item ? item->revision : 0;
  }

  // ---- What mutations have in common. ----

  struct Options {
    std::optional<v1::Precondition> precondition;
    int64_t ttl_micros = 0;
  };

  template <class Request>
  static Options OptionsOf(const Request& request) {
    Options options;
    if constexpr (requires { request.has_ttl(); }) {
      if (request.has_ttl()) options.ttl_micros = CheckTtl(request.ttl());
    }
    if (request.has_precondition()) options.precondition = request.precondition();
    return options;
  }

  // What is checked of a mutation before its operands.
  template <class Request>
  static void CheckMutation(const Request& request) {
    CheckKey(request.key());
    OptionsOf(request);
  }

  void Check(const Options& options, uint64_t revision) const {
    if (!options.precondition) return;
    const v1::Precondition& wanted = *options.precondition;
    if (wanted.must_not_exist() && revision != 0) throw Refusal{absl::StatusCode::kAlreadyExists, "KEY_EXISTS"};
    if (wanted.must_exist() && revision == 0) throw NotFound();
    if (!wanted.has_revision_equals()) return;
    // A change of this batch has no revision that a client could know.
    const bool is_unknown = is_atomic_ && revision >= first_revision_;
    if (is_unknown && wanted.revision_equals() != 0) throw Invalid("INVALID_PRECONDITION");
    if (wanted.revision_equals() != revision) throw Refusal{absl::StatusCode::kAborted, "REVISION_MISMATCH"};
  }

  template <class T>
  struct Change {
    std::optional<T> value;    // nothing: the key is to be absent
    bool is_changed = true;    // whether the value is another one, or was put
    bool ends_expiry = false;  // unless there is a ttl
  };

  // change(const T*), with null for an absent key, returns the Change. Returns the revision of the key afterwards, that
  // of the delete for one that deleted it.
  template <class T, class ChangeValue>
  uint64_t Mutate(v1::ValueType type, const std::string& key, const Options& options, ChangeValue change_value) {
    Item* item = Find(type, key);
    Check(options, item ? item->revision : 0);
    const Change<T> change = change_value(item ? &std::get<T>(item->value) : nullptr);
    const bool sets_expiry = item && options.ttl_micros != 0;
    if (!change.is_changed && !sets_expiry) return item ? item->revision : 0;
    const uint64_t revision = ++state_.revision;
    if (!change.value) {
      state_.items.erase({type, key});
      return revision;
    }
    Item& changed = state_.items[{type, key}];
    if (change.is_changed) changed.value = *change.value;
    changed.revision = revision;
    if (options.ttl_micros != 0) {
      changed.expires_at_micros = now_micros_ + options.ttl_micros;
    } else if (change.ends_expiry || !item) {
      changed.expires_at_micros = 0;
    }
    return revision;
  }

  template <class T, class Request, class ChangeValue>
  uint64_t MutateOne(const Request& request, ChangeValue change_value) {
    return Mutate<T>(TypeOf<Request>(), request.key(), OptionsOf(request), change_value);
  }

  template <class T>
  static Change<T> PutOf(T value) {
    return {std::move(value), true, true};
  }

  template <class T, class Sum, class Delta, class Response>
  static auto AddTo(Sum sum, Delta delta, Response* response) {
    return [=](const T* current) {
      T value{};
      const T before = current ? *current : T{};
      if (!sum(before, delta, &value)) throw Refusal{absl::StatusCode::kOutOfRange, "OVERFLOW"};
      response->set_previous(before);
      response->set_value(value);
      return Change<T>{value, delta != 0};
    };
  }

  // ---- Put, Get and Delete of each type. ----

  static int64_t ValueOf(const v1::IntStorePutRequest& request) { return Required(request); }
  static uint64_t ValueOf(const v1::UintStorePutRequest& request) { return Required(request); }
  static double ValueOf(const v1::FloatStorePutRequest& request) {
    const double value = Required(request);
    CheckFinite(value);
    return value;
  }
  static std::string ValueOf(const v1::StringStorePutRequest& request) { return Required(request); }
  static Set ValueOf(const v1::SetStorePutRequest& request) {
    return {request.members().begin(), request.members().end()};
  }
  static Map ValueOf(const v1::MapStorePutRequest& request) {
    return {request.fields().begin(), request.fields().end()};
  }
  template <class T, class Response>
  static void Show(const T& value, Response* response) {
    response->set_value(value);
  }
  static void Show(const Set& set, v1::SetStoreGetResponse* response) {
    response->mutable_members()->Add(set.begin(), set.end());
  }
  static void Show(const Map& map, v1::MapStoreGetResponse* response) {
    response->mutable_fields()->insert(map.begin(), map.end());
  }

  template <class Request, class Response>
  void Put(const Request& request, Response* response) {
    CheckKey(request.key());
    const Options options = OptionsOf(request);
    const auto value = ValueOf(request);
    using T = std::remove_const_t<decltype(value)>;
    response->set_revision(Mutate<T>(TypeOf<Request>(), request.key(), options, [&](const T* current) {
      response->set_replaced(current != nullptr);
      return PutOf(value);
    }));
  }
  template <class T, class Request, class Response>
  void Delete(const Request& request, Response* response) {
    CheckKey(request.key());
    response->set_revision(MutateOne<T>(request, [&](const T* current) {
      response->set_deleted(current != nullptr);
      return Change<T>{std::nullopt, current != nullptr};
    }));
  }
  // read(const T&) fills in the response.
  template <class T, class Request, class Response, class Read>
  void ReadOne(const Request& request, Response* response, Read read) {
    CheckKey(request.key());
    const Item* item = Find(TypeOf<Request>(), request.key());
    if (!item) throw NotFound();
    read(std::get<T>(item->value));
    response->set_revision(item->revision);
  }

#define KVS_COMMON(T, store)                                                                                  \
  void Do(const v1::store##PutRequest& request, v1::store##PutResponse* response) { Put(request, response); } \
  void Do(const v1::store##GetRequest& request, v1::store##GetResponse* response) {                           \
    ReadOne<T>(request, response, [response](const T& value) { Show(value, response); });                     \
  }                                                                                                           \
  void Do(const v1::store##DeleteRequest& request, v1::store##DeleteResponse* response) {                     \
    Delete<T>(request, response);                                                                             \
  }
  KVS_COMMON(int64_t, IntStore)
  KVS_COMMON(uint64_t, UintStore)
  KVS_COMMON(double, FloatStore)
  KVS_COMMON(std::string, StringStore)
  KVS_COMMON(Set, SetStore)
  KVS_COMMON(Map, MapStore)
#undef KVS_COMMON

  // ---- Numbers and strings. ----

  using AddInts = bool (*)(int64_t, int64_t, int64_t*);
  using AddUints = bool (*)(uint64_t, uint64_t, uint64_t*);
  using AddFloats = bool (*)(double, double, double*);

  void Do(const v1::IntStoreIncrementRequest& request, v1::IntStoreIncrementResponse* response) {
    CheckMutation(request);
    const int64_t delta = request.has_delta() ? request.delta() : 1;
    response->set_revision(MutateOne<int64_t>(request, AddTo<int64_t>(AddInts(Add), delta, response)));
  }
  void Do(const v1::UintStoreIncrementRequest& request, v1::UintStoreIncrementResponse* response) {
    CheckMutation(request);
    const bool subtracts = request.has_decrement();
    const uint64_t delta = subtracts ? request.decrement() : request.has_delta() ? request.delta() : 1;
    const AddUints change = subtracts ? Subtract : AddUints(Add);
    response->set_revision(MutateOne<uint64_t>(request, AddTo<uint64_t>(change, delta, response)));
  }
  void Do(const v1::FloatStoreIncrementRequest& request, v1::FloatStoreIncrementResponse* response) {
    CheckMutation(request);
    const double delta = request.has_delta() ? request.delta() : 1;
    CheckFinite(delta);
    response->set_revision(MutateOne<double>(request, AddTo<double>(AddFloats(Add), delta, response)));
  }
  void Do(const v1::StringStoreAppendRequest& request, v1::StringStoreAppendResponse* response) {
    CheckMutation(request);
    const std::string text = Required(request);
    response->set_revision(MutateOne<std::string>(request, [&](const std::string* current) {
      const std::string value = (current ? *current : "") + text;
      response->set_size_bytes(value.size());
      return Change<std::string>{value, !text.empty()};
    }));
  }

  // ---- Sets. ----

  template <class Names>
  static void CheckNotEmpty(const Names& names) {
    if (names.empty()) throw Invalid("MISSING_FIELD");
  }

  void Do(const v1::SetStoreAddRequest& request, v1::SetStoreAddResponse* response) {
    CheckMutation(request);
    CheckNotEmpty(request.members());
    response->set_revision(MutateOne<Set>(request, [&](const Set* current) {
      Set set = current ? *current : Set();
      const size_t before = set.size();
      set.insert(request.members().begin(), request.members().end());
      response->set_added(set.size() - before);
      response->set_size(set.size());
      return Change<Set>{set, set.size() != before};
    }));
  }
  void Do(const v1::SetStoreRemoveRequest& request, v1::SetStoreRemoveResponse* response) {
    CheckMutation(request);
    CheckNotEmpty(request.members());
    response->set_revision(
        MutateOne<Set>(request, [&](const Set* current) { return Without(current, request.members(), response); }));
  }
  void Do(const v1::SetStoreContainsRequest& request, v1::SetStoreContainsResponse* response) {
    ReadOne<Set>(request, response, [&](const Set& set) { response->set_contains(set.count(request.member()) != 0); });
  }
  void Do(const v1::SetStoreSizeRequest& request, v1::SetStoreSizeResponse* response) {
    ReadOne<Set>(request, response, [&](const Set& set) { response->set_size(set.size()); });
  }
  void Do(const v1::SetStoreListMembersRequest& request, v1::SetStoreListMembersResponse* response) {
    ReadOne<Set>(request, response, [&](const Set& set) {
      response->set_more(ReadPage(set, request, [&](const std::string& member) { response->add_members(member); }));
    });
  }

  // A collection without what is named.
  template <class Collection, class Names, class Response>
  static Change<Collection> Without(const Collection* current, const Names& names, Response* response) {
    Collection rest = current ? *current : Collection();
    const size_t before = rest.size();
    for (const std::string& name : names) rest.erase(name);
    response->set_removed(before - rest.size());
    response->set_size(rest.size());
    return {rest, rest.size() != before};
  }
  // Calls add(entry) for those of a page; whether there are more.
  template <class Collection, class Request, class AddEntry>
  static bool ReadPage(const Collection& collection, const Request& request, AddEntry add) {
    uint32_t left = request.has_limit() ? request.limit() : 1000;
    for (auto it = collection.upper_bound(request.start_after()); it != collection.end(); ++it) {
      if (left-- == 0) return true;
      add(*it);
    }
    return false;
  }

  // ---- Maps. ----

  void Do(const v1::MapStorePutFieldsRequest& request, v1::MapStorePutFieldsResponse* response) {
    CheckMutation(request);
    CheckNotEmpty(request.fields());
    response->set_revision(MutateOne<Map>(request, [&](const Map* current) {
      Map map = current ? *current : Map();
      const size_t before = map.size();
      for (const auto& [name, value] : request.fields()) map[name] = value;
      response->set_added(map.size() - before);
      response->set_size(map.size());
      return Change<Map>{map};
    }));
  }
  void Do(const v1::MapStoreGetFieldsRequest& request, v1::MapStoreGetFieldsResponse* response) {
    CheckKey(request.key());
    CheckNotEmpty(request.names());
    ReadOne<Map>(request, response, [&](const Map& map) {
      for (const std::string& name : request.names()) {
        if (map.count(name) != 0) (*response->mutable_fields())[name] = map.at(name);
      }
    });
  }
  void Do(const v1::MapStoreRemoveFieldsRequest& request, v1::MapStoreRemoveFieldsResponse* response) {
    CheckMutation(request);
    CheckNotEmpty(request.names());
    response->set_revision(
        MutateOne<Map>(request, [&](const Map* current) { return Without(current, request.names(), response); }));
  }
  void Do(const v1::MapStoreSizeRequest& request, v1::MapStoreSizeResponse* response) {
    ReadOne<Map>(request, response, [&](const Map& map) { response->set_size(map.size()); });
  }
  void Do(const v1::MapStoreListFieldsRequest& request, v1::MapStoreListFieldsResponse* response) {
    ReadOne<Map>(request, response, [&](const Map& map) {
      response->set_more(ReadPage(map, request, [&](const auto& field) {
        auto* entry = response->add_fields();
        entry->set_name(field.first);
        entry->set_value(field.second);
      }));
    });
  }

  // ---- Calls with many keys. ----

  // one(int index) returns the revision of a key, or throws; fail() answers for those that failed.
  template <class Request, class Response, class One, class Fail>
  void ForEachKey(const Request& request, Response* response, One one, Fail fail) {
    for (int i = 0; i < request.keys_size(); ++i) {
      try {
        CheckKey(request.keys(i));
        response->add_revisions(one(i));
      } catch (const Refusal& refusal) {
        if (is_atomic_) throw;
        NoteError(refusal, i, response);
        response->add_revisions(0);
        fail();
      }
    }
  }
  template <class Response>
  static void NoteError(const Refusal& refusal, int index, Response* response) {
    for (auto& error : *response->mutable_errors()) {
      if (error.status().message() == refusal.Text()) return error.add_indexes(index);
    }
    auto* error = response->add_errors();
    error->add_indexes(index);
    *error->mutable_status() = ToProto(refusal);
  }

  template <class Request>
  static Options OptionsForKeys(const Request& request) {
    const Options options = OptionsOf(request);
    if (options.precondition && options.precondition->has_revision_equals()) throw Invalid("INVALID_PRECONDITION");
    return options;
  }

  template <class T, class Request, class Response>
  void MultiGet(const Request& request, Response* response) {
    const auto add = [response](const T& value) { response->add_values(value); };
    ForEachKey(
        request, response,
        [&](int i) {
          const Item* item = Find(TypeOf<Request>(), request.keys(i));
          add(item ? std::get<T>(item->value) : T{});
          return item ? item->revision : 0;
        },
        [&] { add(T{}); });
  }
  template <class T, class Request, class Response>
  void MultiPut(const Request& request, Response* response) {
    const Options options = OptionsForKeys(request);
    if (request.values_size() != request.keys_size()) throw Invalid("LENGTH_MISMATCH");
    ForEachKey(
        request, response,
        [&](int i) {
          if constexpr (std::is_floating_point_v<T>) CheckFinite(request.values(i));
          return Mutate<T>(TypeOf<Request>(), request.keys(i), options,
                           [&](const T*) { return PutOf(T{request.values(i)}); });
        },
        [] {});
  }
  template <class T, class Request, class Response, class Sum>
  void MultiIncrement(const Request& request, Response* response, Sum sum) {
    const Options options = OptionsForKeys(request);
    const int deltas = request.deltas_size();
    if (deltas > 1 && deltas != request.keys_size()) throw Invalid("LENGTH_MISMATCH");
    // Takes what AddTo answers.
    struct Answer {
      T value{};
      void set_previous(T) {}
      void set_value(T to) { value = to; }
    };
    ForEachKey(
        request, response,
        [&](int i) {
          const T delta = deltas == 0 ? T{1} : T{request.deltas(deltas == 1 ? 0 : i)};
          CheckFinite(delta);
          Answer answer;
          const uint64_t revision =
              Mutate<T>(TypeOf<Request>(), request.keys(i), options, AddTo<T>(sum, delta, &answer));
          response->add_values(answer.value);
          return revision;
        },
        [&] { response->add_values(T{}); });
  }

#define KVS_MULTI(T, store)                                                                   \
  void Do(const v1::store##MultiGetRequest& request, v1::store##MultiGetResponse* response) { \
    MultiGet<T>(request, response);                                                           \
  }                                                                                           \
  void Do(const v1::store##MultiPutRequest& request, v1::store##MultiPutResponse* response) { \
    MultiPut<T>(request, response);                                                           \
  }
  KVS_MULTI(int64_t, IntStore)
  KVS_MULTI(uint64_t, UintStore)
  KVS_MULTI(double, FloatStore)
  KVS_MULTI(std::string, StringStore)
#undef KVS_MULTI
  void Do(const v1::IntStoreMultiIncrementRequest& request, v1::IntStoreMultiIncrementResponse* response) {
    MultiIncrement<int64_t>(request, response, AddInts(Add));
  }
  void Do(const v1::UintStoreMultiIncrementRequest& request, v1::UintStoreMultiIncrementResponse* response) {
    MultiIncrement<uint64_t>(request, response, request.decrement() ? Subtract : AddUints(Add));
  }
  void Do(const v1::FloatStoreMultiIncrementRequest& request, v1::FloatStoreMultiIncrementResponse* response) {
    MultiIncrement<double>(request, response, AddFloats(Add));
  }

  // ---- Keys. ----

  uint64_t NewestRevision(const std::vector<v1::ValueType>& types, const std::string& key) {
    uint64_t newest = 0;
    for (const v1::ValueType type : types) newest = std::max(newest, RevisionOf(type, key));
    return newest;
  }

  template <class Request>
  static Options OptionsForTypes(const Request& request) {
    CheckKey(request.key());
    const Options options = OptionsOf(request);
    if (options.precondition && options.precondition->has_revision_equals() && TypesOf(request).size() != 1) {
      throw Invalid("INVALID_PRECONDITION");
    }
    return options;
  }

  // change(type, Item&) is called for each type where the key is present, and tells whether it changed something.
  // Returns the types that it changed.
  template <class Request, class Response, class ChangeItem>
  std::vector<v1::ValueType> MutateTypes(const Request& request, Response* response, ChangeItem change) {
    const Options options = OptionsForTypes(request);
    const std::vector<v1::ValueType> types = TypesOf(request);
    uint64_t revision = NewestRevision(types, request.key());
    Check(options, revision);
    std::vector<v1::ValueType> changed;
    for (const v1::ValueType type : types) {
      Item* item = Find(type, request.key());
      if (!item || !change(type, *item)) continue;
      changed.push_back(type);
      response->add_types(type);
      revision = state_.revision;
    }
    response->set_revision(revision);
    return changed;
  }

  void Do(const v1::KeysExistsRequest& request, v1::KeysExistsResponse* response) {
    CheckKey(request.key());
    for (const v1::ValueType type : TypesOf(request)) {
      if (Find(type, request.key())) response->add_types(type);
    }
    response->set_exists(response->types_size() != 0);
    response->set_revision(NewestRevision(TypesOf(request), request.key()));
  }
  void Do(const v1::KeysDeleteRequest& request, v1::KeysDeleteResponse* response) {
    const auto deleted = MutateTypes(request, response, [&](v1::ValueType type, Item&) {
      ++state_.revision;
      state_.items.erase({type, request.key()});
      return true;
    });
    response->set_deleted(!deleted.empty());
  }
  void Do(const v1::KeysExpireRequest& request, v1::KeysExpireResponse* response) {
    OptionsForTypes(request);
    if (!request.has_ttl()) throw Invalid("MISSING_FIELD");
    const int64_t expires_at_micros = now_micros_ + CheckTtl(request.ttl());
    const auto changed = MutateTypes(request, response, [&](v1::ValueType, Item& item) {
      item.revision = ++state_.revision;
      item.expires_at_micros = expires_at_micros;
      return true;
    });
    response->set_changed(!changed.empty());
    if (changed.empty()) return;
    *response->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(expires_at_micros);
  }
  void Do(const v1::KeysPersistRequest& request, v1::KeysPersistResponse* response) {
    const auto changed = MutateTypes(request, response, [&](v1::ValueType, Item& item) {
      if (item.expires_at_micros == 0) return false;
      item.revision = ++state_.revision;
      item.expires_at_micros = 0;
      return true;
    });
    response->set_changed(!changed.empty());
  }
  void Do(const v1::KeysGetExpiryRequest& request, v1::KeysGetExpiryResponse* response) {
    CheckKey(request.key());
    for (const v1::ValueType type : TypesOf(request)) {
      const Item* item = Find(type, request.key());
      if (!item) continue;
      auto* key = response->add_keys();
      key->set_type(type);
      if (item->expires_at_micros == 0) continue;
      *key->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(item->expires_at_micros);
      *key->mutable_ttl() = TimeUtil::MicrosecondsToDuration(item->expires_at_micros - now_micros_);
    }
    if (response->keys_size() == 0) throw NotFound();
    response->set_revision(NewestRevision(TypesOf(request), request.key()));
  }

  ReferenceModel::State& state_;
  const int64_t now_micros_;
  const bool is_atomic_;
  const uint64_t first_revision_;  // that this run may give
};

template <class Run>
std::vector<std::string> ReferenceModel::Once(const std::string& id, const std::string& command, Run run) {
  if (id.empty()) return run();
  if (const auto it = answered_.find(id); it != answered_.end()) {
    if (it->second.command == command) return it->second.results;
    return {Invalid("REQUEST_ID_REUSED").Text()};
  }
  const uint64_t revision_before = state_.revision;
  std::vector<std::string> results = run();
  if (state_.revision != revision_before) answered_[id] = {command, results};
  return results;
}

std::string ReferenceModel::Do(const v1::BatchOperation& operation) {
  v1::BatchOperation copy = operation;
  const std::string* id = MutableRequestId(copy);
  const auto run = [&]() -> std::vector<std::string> {
    try {
      return {ResultText(ModelRun(this, /*is_atomic=*/false).Do(operation))};
    } catch (const Refusal& refusal) {
      return {refusal.Text()};
    }
  };
  return Once(id ? *id : "", CommandOf(operation), run).front();
}

std::vector<std::string> ReferenceModel::DoAtomic(const v1::BatchExecuteRequest& request) {
  return Once(request.request_id(), CommandOf(request), [&]() -> std::vector<std::string> {
    const State before = state_;
    std::vector<std::string> results;
    ModelRun run(this, /*is_atomic=*/true);
    for (const auto& operation : request.operations()) {
      try {
        results.push_back(ResultText(run.Do(operation)));
      } catch (const Refusal& refusal) {
        state_ = before;
        return {absl::StrCat(refusal.Text(), " at ", results.size())};
      }
    }
    return results;
  });
}

size_t ReferenceModel::RemoveExpired() {
  const size_t removed = std::erase_if(state_.items, [this](const auto& item) {
    return item.second.expires_at_micros != 0 && item.second.expires_at_micros <= now_micros_;
  });
  state_.revision += removed;
  return removed;
}

std::vector<v1::BatchOperation> ReferenceModel::ReadAll() const {
  std::vector<v1::BatchOperation> reads;
  for (const auto& [name, item] : state_.items) {
    const auto& [type, key] = name;
    v1::BatchOperation& get = reads.emplace_back();
    switch (item.value.index()) {
      case 0:
        get.mutable_int_get()->set_key(key);
        break;
      case 1:
        get.mutable_uint_get()->set_key(key);
        break;
      case 2:
        get.mutable_float_get()->set_key(key);
        break;
      case 3:
        get.mutable_string_get()->set_key(key);
        break;
      case 4:
        get.mutable_set_get()->set_key(key);
        break;
      default:
        get.mutable_map_get()->set_key(key);
    }
    auto* expiry = reads.emplace_back().mutable_keys_get_expiry();
    expiry->set_key(key);
    expiry->add_types(type);
  }
  return reads;
}

std::vector<std::string> ReferenceModel::Scan() const {
  struct Shown {
    v1::Value& to;
    void operator()(int64_t value) const { to.set_int_value(value); }
    void operator()(uint64_t value) const { to.set_uint_value(value); }
    void operator()(double value) const { to.set_float_value(value); }
    void operator()(const std::string& value) const { to.set_string_value(value); }
    void operator()(const std::set<std::string>& value) const {
      to.mutable_set_value()->mutable_members()->Add(value.begin(), value.end());
    }
    void operator()(const std::map<std::string, std::string>& value) const {
      to.mutable_map_value()->mutable_fields()->insert(value.begin(), value.end());
    }
  };
  std::vector<std::string> entries;
  for (const auto& [name, item] : state_.items) {
    v1::ScanEntry entry;
    entry.set_type(name.first);
    entry.set_key(name.second);
    std::visit(Shown{*entry.mutable_value()}, item.value);
    entry.set_revision(item.revision);
    if (item.expires_at_micros != 0) {
      *entry.mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(item.expires_at_micros);
    }
    entries.push_back(TextOf(entry));
  }
  return entries;
}

}  // namespace kvs
