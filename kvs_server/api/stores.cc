#include "kvs_server/api/stores.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/float_store.pb.h"
#include "kvs/v1/int_store.pb.h"
#include "kvs/v1/map_store.pb.h"
#include "kvs/v1/set_store.pb.h"
#include "kvs/v1/string_store.pb.h"
#include "kvs/v1/uint_store.pb.h"
#include "kvs_server/api/request_checks.h"
#include "kvs_server/engine/verbs.h"

namespace kvs::server {
namespace {

namespace v1 = ::kvs::v1;

using MaybeOperation = absl::StatusOr<std::optional<Operation>>;

absl::Status ReplyTooLarge(absl::string_view page_call) {
  return Error(errors::kReplyTooLarge,
               absl::StrCat("the answer would be over the limit of ", kMaxReplyBytes, " bytes; use ", page_call),
               {{"limit", absl::StrCat(kMaxReplyBytes)}});
}

// ---- How the value of each type is read from a Put, and written to a Get. ----

absl::StatusOr<ValueView> OperandOf(const v1::IntStorePutRequest& request) {
  if (!request.has_value()) return MissingField("value");
  return ValueView(int64_t{request.value()});
}

absl::StatusOr<ValueView> OperandOf(const v1::UintStorePutRequest& request) {
  if (!request.has_value()) return MissingField("value");
  return ValueView(uint64_t{request.value()});
}

absl::StatusOr<ValueView> OperandOf(const v1::FloatStorePutRequest& request) {
  if (!request.has_value()) return MissingField("value");
  if (absl::Status status = CheckFinite(request.value(), "value"); !status.ok()) return status;
  return ValueView(request.value());
}

absl::StatusOr<ValueView> OperandOf(const v1::StringStorePutRequest& request) {
  if (!request.has_value()) return MissingField("value");
  if (absl::Status status = CheckText(request.value(), "value"); !status.ok()) return status;
  return ValueView(absl::string_view(request.value()));
}

absl::StatusOr<ValueView> OperandOf(const v1::SetStorePutRequest& request) {
  absl::StatusOr<Texts> members = CheckNames(request.members(), kMembers, /*may_be_empty=*/true);
  if (!members.ok()) return members.status();
  return ValueView(*std::move(members));
}

absl::StatusOr<ValueView> OperandOf(const v1::MapStorePutRequest& request) {
  absl::StatusOr<Fields> fields = CheckFields(request.fields(), /*may_be_empty=*/true);
  if (!fields.ok()) return fields.status();
  return ValueView(*std::move(fields));
}

template <class T, class Response>
absl::Status WriteValue(const T& value, Response* response) {
  response->set_value(value);
  return absl::OkStatus();
}

absl::Status WriteValue(const SetValue& set, v1::SetStoreGetResponse* response) {
  if (set.bytes() > kMaxReplyBytes) return ReplyTooLarge("SetStore.ListMembers");
  response->mutable_members()->Reserve(static_cast<int>(set.members().size()));
  for (const std::string& member : set.members()) response->add_members(member);
  if (response->ByteSizeLong() > kMaxReplyBytes) return ReplyTooLarge("SetStore.ListMembers");
  return absl::OkStatus();
}

absl::Status WriteValue(const MapValue& map, v1::MapStoreGetResponse* response) {
  if (map.bytes() > kMaxReplyBytes) return ReplyTooLarge("MapStore.ListFields");
  for (const auto& [name, value] : map.fields()) (*response->mutable_fields())[name] = value;
  if (response->ByteSizeLong() > kMaxReplyBytes) return ReplyTooLarge("MapStore.ListFields");
  return absl::OkStatus();
}

// ---- The services. ----

struct NoOperands {};

template <class Request>
absl::StatusOr<NoOperands> CheckNothing(const Request&) {
  return NoOperands{};
}

// Adds methods to one service. Every method checks its operands with check(const Request&), which returns
// absl::StatusOr of them; what it then does with the value runs under the shard's lock.
class Builder {
 public:
  Builder(rpc::Service* service, Engine* engine, Responder* responder, const StoreOptions& options)
      : service_(*service), engine_(*engine), responder_(*responder), options_(options) {}

  const StoreOptions& options() const { return options_; }

  // read(const T&, Operands&, Response*) returns absl::Status. An absent key is KEY_NOT_FOUND.
  template <class T, class Request, class Response, class Check, class ReadValue>
  void Read(absl::string_view method, Check check, ReadValue read) {
    responder_.Add<Request, Response>(
        service_, method,
        [&engine = engine_, check, read](const std::string&, const Request& request, Response* response) {
          if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
          auto operands = check(request);
          if (!operands.ok()) return Refused(operands.status());
          return engine.Read<T>(request.key(), [&](const T* value) {
            return value ? read(*value, *operands, response) : KeyNotFound(request.key());
          });
        });
  }

  // evaluate(const T*, Operands&, Response*) returns MaybeOperation: the answer goes into the response, the change is
  // returned.
  template <class T, class Request, class Response, class Check, class Evaluate>
  void Mutation(absl::string_view method, Check check, Evaluate evaluate) {
    responder_.Add<Request, Response>(
        service_, method,
        [&engine = engine_, check, evaluate](const std::string& actor, const Request& request, Response* response) {
          if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
          const absl::StatusOr<MutationOptions> options = OptionsOf(request);
          if (!options.ok()) return Refused(options.status());
          auto operands = check(request);
          if (!operands.ok()) return Refused(operands.status());
          return engine.Mutate<T>(actor, request.key(), *options, [&](const T* current) -> MaybeOperation {
            return evaluate(current, *operands, response);
          });
        });
  }

 private:
  rpc::Service& service_;
  Engine& engine_;
  Responder& responder_;
  const StoreOptions options_;
};

// What all types have: Put, Get and Delete.
#define KVS_ADD_COMMON_METHODS(builder, T, Store)                    \
  AddPut<T, v1::Store##PutRequest, v1::Store##PutResponse>(builder); \
  AddGet<T, v1::Store##GetRequest, v1::Store##GetResponse>(builder); \
  AddDelete<T, v1::Store##DeleteRequest, v1::Store##DeleteResponse>(builder)

template <class T, class Request, class Response>
void AddPut(Builder& builder) {
  builder.Mutation<T, Request, Response>(
      "Put",
      [max_bytes = builder.options().max_collection_bytes](const Request& request) -> absl::StatusOr<ValueView> {
        absl::StatusOr<ValueView> operand = OperandOf(request);
        if (!operand.ok()) return operand;
        if (absl::Status status = verbs::CheckPut(*operand, max_bytes); !status.ok()) return status;
        return operand;
      },
      [](const T* current, ValueView& operand, Response* response) -> MaybeOperation {
        response->set_replaced(current != nullptr);
        return Operation(operation::Put{std::move(operand)});
      });
}

template <class T, class Request, class Response>
void AddGet(Builder& builder) {
  builder.Read<T, Request, Response>("Get", CheckNothing<Request>, [](const T& value, NoOperands, Response* response) {
    return WriteValue(value, response);
  });
}

template <class T, class Request, class Response>
void AddDelete(Builder& builder) {
  builder.Mutation<T, Request, Response>("Delete", CheckNothing<Request>,
                                         [](const T* current, NoOperands, Response* response) -> MaybeOperation {
                                           response->set_deleted(current != nullptr);
                                           if (!current) return std::nullopt;
                                           return Operation(operation::Delete{});
                                         });
}

// ---- Numbers. ----

template <class T, class Response>
MaybeOperation AnswerIncrement(absl::StatusOr<verbs::Incremented<T>> result, Response* response) {
  if (!result.ok()) return result.status();
  response->set_previous(result->previous);
  response->set_value(result->value);
  return std::move(result->operation);
}

void AddIntMethods(Builder& builder) {
  using Request = v1::IntStoreIncrementRequest;
  using Response = v1::IntStoreIncrementResponse;
  KVS_ADD_COMMON_METHODS(builder, int64_t, IntStore);
  builder.Mutation<int64_t, Request, Response>(
      "Increment",
      [](const Request& request) -> absl::StatusOr<int64_t> { return request.has_delta() ? request.delta() : 1; },
      [](const int64_t* current, int64_t delta, Response* response) {
        return AnswerIncrement(verbs::Increment(current, delta), response);
      });
}

void AddUintMethods(Builder& builder) {
  using Request = v1::UintStoreIncrementRequest;
  using Response = v1::UintStoreIncrementResponse;
  struct Change {
    bool decrement = false;
    uint64_t delta = 1;
  };
  KVS_ADD_COMMON_METHODS(builder, uint64_t, UintStore);
  builder.Mutation<uint64_t, Request, Response>(
      "Increment",
      [](const Request& request) -> absl::StatusOr<Change> {
        switch (request.change_case()) {
          case Request::kDelta:
            return Change{false, request.delta()};
          case Request::kDecrement:
            return Change{true, request.decrement()};
          case Request::CHANGE_NOT_SET:
            break;
        }
        return Change{};
      },
      [](const uint64_t* current, const Change& change, Response* response) {
        return AnswerIncrement(
            change.decrement ? verbs::Decrement(current, change.delta) : verbs::Increment(current, change.delta),
            response);
      });
}

void AddFloatMethods(Builder& builder) {
  using Request = v1::FloatStoreIncrementRequest;
  using Response = v1::FloatStoreIncrementResponse;
  KVS_ADD_COMMON_METHODS(builder, double, FloatStore);
  builder.Mutation<double, Request, Response>(
      "Increment",
      [](const Request& request) -> absl::StatusOr<double> {
        const double delta = request.has_delta() ? request.delta() : 1;
        if (absl::Status status = CheckFinite(delta, "delta"); !status.ok()) return status;
        return delta;
      },
      [](const double* current, double delta, Response* response) {
        return AnswerIncrement(verbs::Increment(current, delta), response);
      });
}

// ---- Strings. ----

void AddStringMethods(Builder& builder) {
  using Request = v1::StringStoreAppendRequest;
  using Response = v1::StringStoreAppendResponse;
  KVS_ADD_COMMON_METHODS(builder, std::string, StringStore);
  builder.Mutation<std::string, Request, Response>(
      "Append",
      [](const Request& request) -> absl::StatusOr<absl::string_view> {
        if (!request.has_value()) return MissingField("value");
        if (absl::Status status = CheckText(request.value(), "value"); !status.ok()) return status;
        return absl::string_view(request.value());
      },
      [](const std::string* current, absl::string_view text, Response* response) -> MaybeOperation {
        absl::StatusOr<verbs::Appended> result = verbs::Append(current, text);
        if (!result.ok()) return result.status();
        response->set_size_bytes(result->size_bytes);
        return std::move(result->operation);
      });
}

// ---- Sets and maps. ----

// Where a page begins and how long it is.
struct Page {
  absl::string_view start_after;
  uint32_t limit = 0;
};

template <class Request>
absl::StatusOr<Page> CheckPage(const Request& request) {
  if (!request.start_after().empty()) {
    if (absl::Status status = CheckName(request.start_after(), "start_after"); !status.ok()) return status;
  }
  const absl::StatusOr<uint32_t> limit = CheckPageLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  return Page{request.start_after(), *limit};
}

// Calls add(entry) for the entries of a page; bytes_of(entry) counts towards its size. Returns whether entries remain.
template <class Entries, class BytesOf, class Add>
bool ReadPage(const Entries& entries, const Page& page, BytesOf bytes_of, Add add) {
  size_t bytes = 0;
  uint32_t count = 0;
  for (auto it = entries.upper_bound(page.start_after); it != entries.end(); ++it) {
    bytes += bytes_of(*it);
    if (count == page.limit || (count > 0 && bytes > kMaxPageBytes)) return true;
    add(*it);
    ++count;
  }
  return false;
}

void AddSetReads(Builder& builder) {
  builder.Read<SetValue, v1::SetStoreContainsRequest, v1::SetStoreContainsResponse>(
      "Contains",
      [](const v1::SetStoreContainsRequest& request) -> absl::StatusOr<absl::string_view> {
        if (absl::Status status = CheckName(request.member(), "member"); !status.ok()) return status;
        return absl::string_view(request.member());
      },
      [](const SetValue& set, absl::string_view member, v1::SetStoreContainsResponse* response) {
        response->set_contains(set.Contains(member));
        return absl::OkStatus();
      });
  builder.Read<SetValue, v1::SetStoreSizeRequest, v1::SetStoreSizeResponse>(
      "Size", CheckNothing<v1::SetStoreSizeRequest>,
      [](const SetValue& set, NoOperands, v1::SetStoreSizeResponse* response) {
        response->set_size(set.members().size());
        return absl::OkStatus();
      });
  builder.Read<SetValue, v1::SetStoreListMembersRequest, v1::SetStoreListMembersResponse>(
      "ListMembers", CheckPage<v1::SetStoreListMembersRequest>,
      [](const SetValue& set, const Page& page, v1::SetStoreListMembersResponse* response) {
        response->set_more(ReadPage(
            set.members(), page, [](const std::string& member) { return member.size(); },
            [&](const std::string& member) { response->add_members(member); }));
        return absl::OkStatus();
      });
}

void AddSetMethods(Builder& builder) {
  const size_t max_bytes = builder.options().max_collection_bytes;
  KVS_ADD_COMMON_METHODS(builder, SetValue, SetStore);
  AddSetReads(builder);
  builder.Mutation<SetValue, v1::SetStoreAddRequest, v1::SetStoreAddResponse>(
      "Add",
      [](const v1::SetStoreAddRequest& request) {
        return CheckNames(request.members(), kMembers, /*may_be_empty=*/false);
      },
      [max_bytes](const SetValue* current, const Texts& members, v1::SetStoreAddResponse* response) -> MaybeOperation {
        absl::StatusOr<verbs::Resized> result = verbs::AddMembers(current, members, max_bytes);
        if (!result.ok()) return result.status();
        response->set_added(result->changed);
        response->set_size(result->size);
        return std::move(result->operation);
      });
  builder.Mutation<SetValue, v1::SetStoreRemoveRequest, v1::SetStoreRemoveResponse>(
      "Remove",
      [](const v1::SetStoreRemoveRequest& request) {
        return CheckNames(request.members(), kMembers, /*may_be_empty=*/false);
      },
      [](const SetValue* current, const Texts& members, v1::SetStoreRemoveResponse* response) -> MaybeOperation {
        verbs::Resized result = verbs::RemoveMembers(current, members);
        response->set_removed(result.changed);
        response->set_size(result.size);
        return std::move(result.operation);
      });
}

void AddMapReads(Builder& builder) {
  builder.Read<MapValue, v1::MapStoreGetFieldsRequest, v1::MapStoreGetFieldsResponse>(
      "GetFields",
      [](const v1::MapStoreGetFieldsRequest& request) {
        return CheckNames(request.names(), kFieldNames, /*may_be_empty=*/false);
      },
      [](const MapValue& map, const Texts& names, v1::MapStoreGetFieldsResponse* response) {
        constexpr absl::string_view kInstead = "fewer names, or MapStore.ListFields";
        size_t bytes = 0;
        for (const absl::string_view name : names) {
          const std::string* value = map.Find(name);
          if (!value) continue;
          bytes += name.size() + value->size();
          if (bytes > kMaxReplyBytes) return ReplyTooLarge(kInstead);
          (*response->mutable_fields())[std::string(name)] = *value;
        }
        return response->ByteSizeLong() > kMaxReplyBytes ? ReplyTooLarge(kInstead) : absl::OkStatus();
      });
  builder.Read<MapValue, v1::MapStoreSizeRequest, v1::MapStoreSizeResponse>(
      "Size", CheckNothing<v1::MapStoreSizeRequest>,
      [](const MapValue& map, NoOperands, v1::MapStoreSizeResponse* response) {
        response->set_size(map.fields().size());
        return absl::OkStatus();
      });
  builder.Read<MapValue, v1::MapStoreListFieldsRequest, v1::MapStoreListFieldsResponse>(
      "ListFields", CheckPage<v1::MapStoreListFieldsRequest>,
      [](const MapValue& map, const Page& page, v1::MapStoreListFieldsResponse* response) {
        response->set_more(ReadPage(
            map.fields(), page, [](const auto& field) { return field.first.size() + field.second.size(); },
            [&](const auto& field) {
              auto* entry = response->add_fields();
              entry->set_name(field.first);
              entry->set_value(field.second);
            }));
        return absl::OkStatus();
      });
}

void AddMapMethods(Builder& builder) {
  const size_t max_bytes = builder.options().max_collection_bytes;
  KVS_ADD_COMMON_METHODS(builder, MapValue, MapStore);
  AddMapReads(builder);
  builder.Mutation<MapValue, v1::MapStorePutFieldsRequest, v1::MapStorePutFieldsResponse>(
      "PutFields",
      [](const v1::MapStorePutFieldsRequest& request) { return CheckFields(request.fields(), /*may_be_empty=*/false); },
      [max_bytes](const MapValue* current, Fields& fields, v1::MapStorePutFieldsResponse* response) -> MaybeOperation {
        absl::StatusOr<verbs::Resized> result = verbs::PutFields(current, std::move(fields), max_bytes);
        if (!result.ok()) return result.status();
        response->set_added(result->changed);
        response->set_size(result->size);
        return std::move(result->operation);
      });
  builder.Mutation<MapValue, v1::MapStoreRemoveFieldsRequest, v1::MapStoreRemoveFieldsResponse>(
      "RemoveFields",
      [](const v1::MapStoreRemoveFieldsRequest& request) {
        return CheckNames(request.names(), kFieldNames, /*may_be_empty=*/false);
      },
      [](const MapValue* current, const Texts& names, v1::MapStoreRemoveFieldsResponse* response) -> MaybeOperation {
        verbs::Resized result = verbs::RemoveFields(current, names);
        response->set_removed(result.changed);
        response->set_size(result.size);
        return std::move(result.operation);
      });
}

}  // namespace

std::vector<std::unique_ptr<rpc::Service>> MakeStoreServices(Engine* engine, Responder* responder,
                                                             const StoreOptions& options) {
  std::vector<std::unique_ptr<rpc::Service>> services;
  const auto add = [&](const google::protobuf::FileDescriptor* file, absl::string_view name, auto add_methods) {
    services.push_back(std::make_unique<rpc::Service>(file->FindServiceByName(std::string(name))));
    Builder builder(services.back().get(), engine, responder, options);
    add_methods(builder);
  };
  add(v1::IntStorePutRequest::descriptor()->file(), "IntStore", AddIntMethods);
  add(v1::UintStorePutRequest::descriptor()->file(), "UintStore", AddUintMethods);
  add(v1::FloatStorePutRequest::descriptor()->file(), "FloatStore", AddFloatMethods);
  add(v1::StringStorePutRequest::descriptor()->file(), "StringStore", AddStringMethods);
  add(v1::SetStorePutRequest::descriptor()->file(), "SetStore", AddSetMethods);
  add(v1::MapStorePutRequest::descriptor()->file(), "MapStore", AddMapMethods);
  return services;
}

}  // namespace kvs::server
