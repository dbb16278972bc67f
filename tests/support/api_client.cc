#include "tests/support/api_client.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <map>
#include <stdexcept>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "kvs/v1/map_store.pb.h"
#include "kvs/v1/set_store.pb.h"
#include "tests/support/raw_call.h"

namespace kvs {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::TextFormat;

// Fails a call where it would otherwise hang.
constexpr absl::Duration kTimeout = absl::Seconds(60);

// "IntStore.Put".
const MethodDescriptor& MethodOf(const std::string& name) {
  const auto* method = DescriptorPool::generated_pool()->FindMethodByName("kvs.v1." + name);
  if (method == nullptr) throw std::runtime_error("there is no method " + name);
  return *method;
}

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

void ParseText(const std::string& text, Message* message) {
  if (!TextFormat::ParseFromString(text, message)) throw std::runtime_error("not a " + message->GetTypeName());
}

template <class M>
M Parse(const std::string& text) {
  M message;
  ParseText(text, &message);
  return message;
}

std::string KeyText(const std::string& key) { return absl::StrCat("key: '", absl::CEscape(key), "' "); }

}  // namespace

std::string TextOf(const Message& message) {
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
  for (const char* file : {"int_store", "uint_store", "float_store", "string_store", "set_store", "map_store", "keys",
                           "batch", "maintenance"}) {
    const auto* service =
        DescriptorPool::generated_pool()->FindFileByName(absl::StrCat("kvs/v1/", file, ".proto"))->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor& method = *service->method(i);
      if (!method.server_streaming()) names.push_back(absl::StrCat(service->name(), ".", method.name()));
    }
  }
  return names;
}

absl::Status ApiClient::Try(const std::string& method, const std::string& request, std::string* reply) const {
  const MethodDescriptor& descriptor = MethodOf(method);
  const auto message = NewMessage(descriptor.input_type());
  ParseText(request, message.get());
  std::string bytes;
  const absl::Status status =
      RawCall(channel_, absl::StrCat("/", descriptor.service()->full_name(), "/", descriptor.name()),
              message->SerializeAsString(), &bytes);
  const auto answer = NewMessage(descriptor.output_type());
  if (!answer->ParseFromString(bytes)) throw std::runtime_error("not a " + answer->GetTypeName());
  *reply = TextOf(*answer);
  return status;
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
