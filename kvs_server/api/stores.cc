#include "kvs_server/api/stores.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs_server/api/operations.h"
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

absl::Status WriteValue(const StringValue& text, v1::StringStoreGetResponse* response) {
  response->set_value(text.view().data(), text.size());
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

// ---- The shape of an operation. ----

struct NoOperands {};

template <class Request>
absl::StatusOr<NoOperands> CheckNothing(const Request&) {
  return NoOperands{};
}

// Every operation checks its operands with check(const Request&), which returns absl::StatusOr of them; what it then
// does with the value runs under the shard's lock.

// read(const T&, Operands&, Response*) returns absl::Status. An absent key is KEY_NOT_FOUND.
template <class T, class Request, class Response, class Check, class ReadValue>
Outcome Read(const Session& session, const Request& request, Response* response, Check check, ReadValue read) {
  if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
  auto operands = check(request);
  if (!operands.ok()) return Refused(operands.status());
  return session.Read<T>(request.key(), [&](const T* value) {
    return value ? read(*value, *operands, response) : KeyNotFound(request.key());
  });
}

// evaluate(const T*, Operands&, Response*) returns MaybeOperation: the answer goes into the response, the change is
// returned.
template <class T, class Request, class Response, class Check, class Evaluate>
Outcome Mutate(const Session& session, const Request& request, Response* response, Check check, Evaluate evaluate) {
  if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
  const absl::StatusOr<MutationOptions> options = OptionsOf(request);
  if (!options.ok()) return Refused(options.status());
  auto operands = check(request);
  if (!operands.ok()) return Refused(operands.status());
  return session.Mutate<T>(request.key(), *options,
                           [&](const T* current) -> MaybeOperation { return evaluate(current, *operands, response); });
}

// What all types have: Put, Get and Delete.
#define KVS_DEFINE_COMMON(T, Store)                                                                                  \
  Outcome Do(const Session& session, const v1::Store##PutRequest& request, v1::Store##PutResponse* response) {       \
    return Put<T>(session, request, response);                                                                       \
  }                                                                                                                  \
  Outcome Do(const Session& session, const v1::Store##GetRequest& request, v1::Store##GetResponse* response) {       \
    return Get<T>(session, request, response);                                                                       \
  }                                                                                                                  \
  Outcome Do(const Session& session, const v1::Store##DeleteRequest& request, v1::Store##DeleteResponse* response) { \
    return Delete<T>(session, request, response);                                                                    \
  }

template <class T, class Request, class Response>
Outcome Put(const Session& session, const Request& request, Response* response) {
  return Mutate<T>(
      session, request, response,
      [&session](const Request& request) -> absl::StatusOr<ValueView> {
        absl::StatusOr<ValueView> operand = OperandOf(request);
        if (!operand.ok()) return operand;
        absl::Status status = verbs::CheckPut(*operand, session.options().max_collection_bytes);
        if (!status.ok()) return status;
        return operand;
      },
      [](const T* current, ValueView& operand, Response* response) -> MaybeOperation {
        response->set_replaced(current != nullptr);
        return Operation(operation::Put{std::move(operand)});
      });
}

template <class T, class Request, class Response>
Outcome Get(const Session& session, const Request& request, Response* response) {
  return Read<T>(session, request, response, CheckNothing<Request>,
                 [](const T& value, NoOperands, Response* response) { return WriteValue(value, response); });
}

template <class T, class Request, class Response>
Outcome Delete(const Session& session, const Request& request, Response* response) {
  return Mutate<T>(session, request, response, CheckNothing<Request>,
                   [](const T* current, NoOperands, Response* response) -> MaybeOperation {
                     response->set_deleted(current != nullptr);
                     if (!current) return std::nullopt;
                     return Operation(operation::Delete{});
                   });
}

template <class T, class Response>
MaybeOperation AnswerIncrement(absl::StatusOr<verbs::Incremented<T>> result, Response* response) {
  if (!result.ok()) return result.status();
  response->set_previous(result->previous);
  response->set_value(result->value);
  return std::move(result->operation);
}

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

}  // namespace

KVS_DEFINE_COMMON(int64_t, IntStore)
KVS_DEFINE_COMMON(uint64_t, UintStore)
KVS_DEFINE_COMMON(double, FloatStore)
KVS_DEFINE_COMMON(StringValue, StringStore)
KVS_DEFINE_COMMON(SetValue, SetStore)
KVS_DEFINE_COMMON(MapValue, MapStore)

// ---- Numbers. ----

Outcome Do(const Session& session, const v1::IntStoreIncrementRequest& request,
           v1::IntStoreIncrementResponse* response) {
  return Mutate<int64_t>(
      session, request, response,
      [](const auto& request) -> absl::StatusOr<int64_t> { return request.has_delta() ? request.delta() : 1; },
      [](const int64_t* current, int64_t delta, auto* response) {
        return AnswerIncrement(verbs::Increment(current, delta), response);
      });
}

Outcome Do(const Session& session, const v1::UintStoreIncrementRequest& request,
           v1::UintStoreIncrementResponse* response) {
  struct Change {
    bool decrement = false;
    uint64_t delta = 1;
  };
  using Request = v1::UintStoreIncrementRequest;
  return Mutate<uint64_t>(
      session, request, response,
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
      [](const uint64_t* current, const Change& change, auto* response) {
        return AnswerIncrement(
            change.decrement ? verbs::Decrement(current, change.delta) : verbs::Increment(current, change.delta),
            response);
      });
}

Outcome Do(const Session& session, const v1::FloatStoreIncrementRequest& request,
           v1::FloatStoreIncrementResponse* response) {
  return Mutate<double>(
      session, request, response,
      [](const auto& request) -> absl::StatusOr<double> {
        const double delta = request.has_delta() ? request.delta() : 1;
        if (absl::Status status = CheckFinite(delta, "delta"); !status.ok()) return status;
        return delta;
      },
      [](const double* current, double delta, auto* response) {
        return AnswerIncrement(verbs::Increment(current, delta), response);
      });
}

// ---- Strings. ----

Outcome Do(const Session& session, const v1::StringStoreAppendRequest& request,
           v1::StringStoreAppendResponse* response) {
  return Mutate<StringValue>(
      session, request, response,
      [](const auto& request) -> absl::StatusOr<absl::string_view> {
        if (!request.has_value()) return MissingField("value");
        if (absl::Status status = CheckText(request.value(), "value"); !status.ok()) return status;
        return absl::string_view(request.value());
      },
      [](const StringValue* current, absl::string_view text, auto* response) -> MaybeOperation {
        absl::StatusOr<verbs::Appended> result = verbs::Append(current, text);
        if (!result.ok()) return result.status();
        response->set_size_bytes(result->size_bytes);
        return std::move(result->operation);
      });
}

// ---- Sets. ----

Outcome Do(const Session& session, const v1::SetStoreContainsRequest& request, v1::SetStoreContainsResponse* response) {
  return Read<SetValue>(
      session, request, response,
      [](const auto& request) -> absl::StatusOr<absl::string_view> {
        if (absl::Status status = CheckName(request.member(), "member"); !status.ok()) return status;
        return absl::string_view(request.member());
      },
      [](const SetValue& set, absl::string_view member, auto* response) {
        response->set_contains(set.Contains(member));
        return absl::OkStatus();
      });
}

Outcome Do(const Session& session, const v1::SetStoreSizeRequest& request, v1::SetStoreSizeResponse* response) {
  return Read<SetValue>(session, request, response, CheckNothing<v1::SetStoreSizeRequest>,
                        [](const SetValue& set, NoOperands, auto* response) {
                          response->set_size(set.members().size());
                          return absl::OkStatus();
                        });
}

Outcome Do(const Session& session, const v1::SetStoreListMembersRequest& request,
           v1::SetStoreListMembersResponse* response) {
  return Read<SetValue>(session, request, response, CheckPage<v1::SetStoreListMembersRequest>,
                        [](const SetValue& set, const Page& page, auto* response) {
                          response->set_more(ReadPage(
                              set.members(), page, [](const std::string& member) { return member.size(); },
                              [&](const std::string& member) { response->add_members(member); }));
                          return absl::OkStatus();
                        });
}

Outcome Do(const Session& session, const v1::SetStoreAddRequest& request, v1::SetStoreAddResponse* response) {
  return Mutate<SetValue>(
      session, request, response,
      [](const auto& request) { return CheckNames(request.members(), kMembers, /*may_be_empty=*/false); },
      [&session](const SetValue* current, const Texts& members, auto* response) -> MaybeOperation {
        auto result = verbs::AddMembers(current, members, session.options().max_collection_bytes);
        if (!result.ok()) return result.status();
        response->set_added(result->changed);
        response->set_size(result->size);
        return std::move(result->operation);
      });
}

Outcome Do(const Session& session, const v1::SetStoreRemoveRequest& request, v1::SetStoreRemoveResponse* response) {
  return Mutate<SetValue>(
      session, request, response,
      [](const auto& request) { return CheckNames(request.members(), kMembers, /*may_be_empty=*/false); },
      [](const SetValue* current, const Texts& members, auto* response) -> MaybeOperation {
        verbs::Resized result = verbs::RemoveMembers(current, members);
        response->set_removed(result.changed);
        response->set_size(result.size);
        return std::move(result.operation);
      });
}

// ---- Maps. ----

Outcome Do(const Session& session, const v1::MapStoreGetFieldsRequest& request,
           v1::MapStoreGetFieldsResponse* response) {
  return Read<MapValue>(
      session, request, response,
      [](const auto& request) { return CheckNames(request.names(), kFieldNames, /*may_be_empty=*/false); },
      [](const MapValue& map, const Texts& names, auto* response) {
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
}

Outcome Do(const Session& session, const v1::MapStoreSizeRequest& request, v1::MapStoreSizeResponse* response) {
  return Read<MapValue>(session, request, response, CheckNothing<v1::MapStoreSizeRequest>,
                        [](const MapValue& map, NoOperands, auto* response) {
                          response->set_size(map.fields().size());
                          return absl::OkStatus();
                        });
}

Outcome Do(const Session& session, const v1::MapStoreListFieldsRequest& request,
           v1::MapStoreListFieldsResponse* response) {
  return Read<MapValue>(
      session, request, response, CheckPage<v1::MapStoreListFieldsRequest>,
      [](const MapValue& map, const Page& page, auto* response) {
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

Outcome Do(const Session& session, const v1::MapStorePutFieldsRequest& request,
           v1::MapStorePutFieldsResponse* response) {
  return Mutate<MapValue>(
      session, request, response,
      [](const auto& request) { return CheckFields(request.fields(), /*may_be_empty=*/false); },
      [&session](const MapValue* current, Fields& fields, auto* response) -> MaybeOperation {
        auto result = verbs::PutFields(current, std::move(fields), session.options().max_collection_bytes);
        if (!result.ok()) return result.status();
        response->set_added(result->changed);
        response->set_size(result->size);
        return std::move(result->operation);
      });
}

Outcome Do(const Session& session, const v1::MapStoreRemoveFieldsRequest& request,
           v1::MapStoreRemoveFieldsResponse* response) {
  return Mutate<MapValue>(
      session, request, response,
      [](const auto& request) { return CheckNames(request.names(), kFieldNames, /*may_be_empty=*/false); },
      [](const MapValue* current, const Texts& names, auto* response) -> MaybeOperation {
        verbs::Resized result = verbs::RemoveFields(current, names);
        response->set_removed(result.changed);
        response->set_size(result.size);
        return std::move(result.operation);
      });
}

std::vector<std::unique_ptr<rpc::Service>> MakeStoreServices(Engine* engine, Responder* responder,
                                                             const StoreOptions& options) {
  std::vector<std::unique_ptr<rpc::Service>> services;
  const auto add = [&](const google::protobuf::FileDescriptor* file, const char* name) {
    services.push_back(std::make_unique<rpc::Service>(file->FindServiceByName(name)));
    AddOperations(services.back().get(), engine, responder, options);
  };
  add(v1::IntStorePutRequest::descriptor()->file(), "IntStore");
  add(v1::UintStorePutRequest::descriptor()->file(), "UintStore");
  add(v1::FloatStorePutRequest::descriptor()->file(), "FloatStore");
  add(v1::StringStorePutRequest::descriptor()->file(), "StringStore");
  add(v1::SetStorePutRequest::descriptor()->file(), "SetStore");
  add(v1::MapStorePutRequest::descriptor()->file(), "MapStore");
  return services;
}

}  // namespace kvs::server
