#include "tests/support/api_client.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "kvs/v1/float_store.grpc.pb.h"
#include "kvs/v1/int_store.grpc.pb.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "kvs/v1/maintenance.grpc.pb.h"
#include "kvs/v1/map_store.grpc.pb.h"
#include "kvs/v1/set_store.grpc.pb.h"
#include "kvs/v1/string_store.grpc.pb.h"
#include "kvs/v1/uint_store.grpc.pb.h"

namespace kvs {
namespace {

using google::protobuf::TextFormat;
using Channel = std::shared_ptr<grpc::Channel>;

// Fails a call where it would otherwise hang.
constexpr absl::Duration kTimeout = absl::Seconds(60);

template <class Message>
Message Parse(const std::string& text) {
  Message message;
  if (!TextFormat::ParseFromString(text, &message)) throw std::runtime_error("not a " + message.GetTypeName());
  return message;
}

// One method: text in, text out.
using Method = std::function<absl::Status(const Channel&, const std::string& request, std::string* reply)>;

template <class Stub, class Request, class Response>
Method Unary(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  return [method](const Channel& channel, const std::string& request, std::string* reply) {
    Stub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
    Response response;
    const grpc::Status status = (stub.*method)(&context, Parse<Request>(request), &response);
    *reply = TextOf(response);
    return rpc::FromGrpc(status);
  };
}

const std::map<std::string, Method>& Methods() {
#define KVS_METHOD(service, method) {#service "." #method, Unary(&v1::service::Stub::method)}
#define KVS_COMMON_METHODS(service) KVS_METHOD(service, Put), KVS_METHOD(service, Get), KVS_METHOD(service, Delete)
  static const auto* const methods = new std::map<std::string, Method>{
      KVS_COMMON_METHODS(IntStore),      KVS_METHOD(IntStore, Increment),   KVS_COMMON_METHODS(UintStore),
      KVS_METHOD(UintStore, Increment),  KVS_COMMON_METHODS(FloatStore),    KVS_METHOD(FloatStore, Increment),
      KVS_COMMON_METHODS(StringStore),   KVS_METHOD(StringStore, Append),   KVS_COMMON_METHODS(SetStore),
      KVS_METHOD(SetStore, Add),         KVS_METHOD(SetStore, Remove),      KVS_METHOD(SetStore, Contains),
      KVS_METHOD(SetStore, Size),        KVS_METHOD(SetStore, ListMembers), KVS_COMMON_METHODS(MapStore),
      KVS_METHOD(MapStore, PutFields),   KVS_METHOD(MapStore, GetFields),   KVS_METHOD(MapStore, RemoveFields),
      KVS_METHOD(MapStore, Size),        KVS_METHOD(MapStore, ListFields),  KVS_METHOD(Keys, Exists),
      KVS_METHOD(Keys, Delete),          KVS_METHOD(Keys, Expire),          KVS_METHOD(Keys, Persist),
      KVS_METHOD(Keys, GetExpiry),       KVS_METHOD(Keys, Count),           KVS_METHOD(Maintenance, Status),
      KVS_METHOD(IntStore, MultiGet),    KVS_METHOD(IntStore, MultiPut),    KVS_METHOD(IntStore, MultiIncrement),
      KVS_METHOD(UintStore, MultiGet),   KVS_METHOD(UintStore, MultiPut),   KVS_METHOD(UintStore, MultiIncrement),
      KVS_METHOD(FloatStore, MultiGet),  KVS_METHOD(FloatStore, MultiPut),  KVS_METHOD(FloatStore, MultiIncrement),
      KVS_METHOD(StringStore, MultiGet), KVS_METHOD(StringStore, MultiPut), KVS_METHOD(Maintenance, Echo),
      KVS_METHOD(Batch, Execute),
  };
#undef KVS_COMMON_METHODS
#undef KVS_METHOD
  return *methods;
}

std::string KeyText(const std::string& key) { return absl::StrCat("key: '", absl::CEscape(key), "' "); }

}  // namespace

std::string TextOf(const google::protobuf::Message& message) {
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(message, &text);
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string CodeAndReason(const absl::Status& status) {
  const std::string code = absl::StatusCodeToString(status.code());
  const std::string reason = ReasonOf(status);
  return reason.empty() ? code : absl::StrCat(code, " ", reason);
}

bool IsAnswered(const std::future<std::string>& call) {
  return call.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

std::vector<std::string> ApiMethods() {
  std::vector<std::string> names;
  for (const auto& [name, method] : Methods()) names.push_back(name);
  return names;
}

absl::Status ApiClient::Try(const std::string& method, const std::string& request, std::string* reply) const {
  return Methods().at(method)(channel_, request, reply);
}

absl::Status ApiClient::ErrorOf(const std::string& method, const std::string& request) const {
  std::string reply;
  return Try(method, request, &reply);
}

std::string ApiClient::Ask(const std::string& method, const std::string& request) const {
  std::string reply;
  const absl::Status status = Try(method, request, &reply);
  return status.ok() ? reply : CodeAndReason(status);
}

std::future<std::string> ApiClient::Start(const std::string& method, const std::string& request) const {
  return std::async(std::launch::async, [client = *this, method, request] { return client.Ask(method, request); });
}

std::vector<std::string> ApiClient::List(const std::string& request, int* messages) const {
  v1::Keys::Stub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  const auto reader = stub.List(&context, Parse<v1::KeysListRequest>(request));
  std::vector<std::string> keys;
  v1::KeysListResponse message;
  for (int count = 0; reader->Read(&message);) {
    for (const auto& entry : message.keys()) {
      keys.push_back(absl::StrCat(v1::ValueType_Name(entry.type()), " ", entry.key(), " ", entry.revision()));
    }
    if (messages) *messages = ++count;
  }
  const absl::Status status = rpc::FromGrpc(reader->Finish());
  if (!status.ok()) keys.push_back(CodeAndReason(status));
  return keys;
}

std::string ApiClient::ReadCollection(const std::string& method, const std::string& key) const {
  // Pages through it, since a Get has a limit.
  std::string all;
  for (std::string start_after;;) {
    std::string reply;
    const std::string request =
        absl::StrCat(KeyText(key), "limit: 10000 start_after: '", absl::CEscape(start_after), "'");
    const absl::Status status = Try(method, request, &reply);
    if (!status.ok()) return CodeAndReason(status);
    absl::StrAppend(&all, reply, "\n");
    if (method == "SetStore.ListMembers") {
      const auto page = Parse<v1::SetStoreListMembersResponse>(reply);
      if (!page.more()) return all;
      start_after = *page.members().rbegin();
    } else {
      const auto page = Parse<v1::MapStoreListFieldsResponse>(reply);
      if (!page.more()) return all;
      start_after = page.fields().rbegin()->name();
    }
  }
}

std::string ApiClient::ExpiryOf(const v1::KeyEntry& entry) const {
  v1::Keys::Stub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  v1::KeysGetExpiryRequest request;
  request.set_key(entry.key());
  request.add_types(entry.type());
  v1::KeysGetExpiryResponse response;
  const absl::Status status = rpc::FromGrpc(stub.GetExpiry(&context, request, &response));
  if (!status.ok()) return absl::StrCat(" ", CodeAndReason(status));
  if (!response.keys(0).has_expires_at()) return "";
  return absl::StrCat(" until ", response.keys(0).expires_at().ShortDebugString());
}

std::vector<std::string> ApiClient::Dump() const {
  v1::Keys::Stub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  const auto reader = stub.List(&context, v1::KeysListRequest());
  const std::map<v1::ValueType, std::string> services = {
      {v1::VALUE_TYPE_INT, "IntStore"},       {v1::VALUE_TYPE_UINT, "UintStore"}, {v1::VALUE_TYPE_FLOAT, "FloatStore"},
      {v1::VALUE_TYPE_STRING, "StringStore"}, {v1::VALUE_TYPE_SET, "SetStore"},   {v1::VALUE_TYPE_MAP, "MapStore"}};
  std::vector<std::string> dump;
  v1::KeysListResponse message;
  while (reader->Read(&message)) {
    for (const auto& entry : message.keys()) {
      const std::string& service = services.at(entry.type());
      std::string value;
      if (entry.type() == v1::VALUE_TYPE_SET) {
        value = ReadCollection("SetStore.ListMembers", entry.key());
      } else if (entry.type() == v1::VALUE_TYPE_MAP) {
        value = ReadCollection("MapStore.ListFields", entry.key());
      } else {
        value = Ask(service + ".Get", KeyText(entry.key()));
      }
      dump.push_back(absl::StrCat(service, " ", entry.key(), " ", entry.revision(), ": ", value, ExpiryOf(entry)));
    }
  }
  const absl::Status status = rpc::FromGrpc(reader->Finish());
  if (!status.ok()) dump.push_back(CodeAndReason(status));
  dump.push_back(Ask("Keys.Count", ""));
  return dump;
}

}  // namespace kvs
