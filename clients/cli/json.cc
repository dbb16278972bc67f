#include "clients/cli/json.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>

#include "common/logging/format.h"

namespace kvs::cli {
namespace {

constexpr char kTypeUrlPrefix[] = "type.googleapis.com";

google::protobuf::util::TypeResolver* Resolver() {
  static const auto* const resolver = new std::unique_ptr<google::protobuf::util::TypeResolver>(
      google::protobuf::util::NewTypeResolverForDescriptorPool(kTypeUrlPrefix,
                                                               google::protobuf::DescriptorPool::generated_pool()));
  return resolver->get();
}

// Maps have no order of their own; this one is by key.
std::string SerializedInOrder(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

std::string JsonOf(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::BinaryToJsonString(
      Resolver(), absl::StrCat(kTypeUrlPrefix, "/", std::string(message.GetDescriptor()->full_name())),
      SerializedInOrder(message), &json, options);
  return status.ok() ? json : "{}";
}

JsonObject& JsonObject::Add(absl::string_view name, absl::string_view text) { return AddJson(name, JsonString(text)); }

JsonObject& JsonObject::Add(absl::string_view name, bool value) { return AddJson(name, value ? "true" : "false"); }

JsonObject& JsonObject::Add(absl::string_view name, uint64_t value) { return Add(name, absl::StrCat(value)); }

JsonObject& JsonObject::AddJson(absl::string_view name, absl::string_view json) {
  absl::StrAppend(&members_, members_.empty() ? "" : ",", JsonString(name), ":", json);
  return *this;
}

std::string JsonObject::ToString() const { return absl::StrCat("{", members_, "}"); }

}  // namespace kvs::cli
