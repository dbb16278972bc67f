// The APIs kvs.v1 and txn.v1 stay compatible and documented. tests/golden/kvs_v1_descriptor.txt holds every element
// that has been released; elements are added to it deliberately, and never taken away or changed.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/descriptor_set.h"
#include "tests/support/catch.h"
#include "tests/support/source_dir.h"

namespace kvs {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::ServiceDescriptor;

const std::string kGoldenPath = SourceDir() + "/tests/golden/kvs_v1_descriptor.txt";

using Lines = std::vector<std::string>;

std::string TypeOf(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map<", TypeOf(*field.message_type()->map_key()), ", ",
                        TypeOf(*field.message_type()->map_value()), ">");
  }
  if (field.type() == FieldDescriptor::TYPE_MESSAGE) return field.message_type()->full_name();
  if (field.type() == FieldDescriptor::TYPE_ENUM) return field.enum_type()->full_name();
  return field.type_name();
}

// Walks every element of the two APIs: a line that says all that a client or a stored file depends on, and a comment.
class Api {
 public:
  Api() {
    google::protobuf::FileDescriptorSet set;
    REQUIRE(set.ParseFromString(std::string(DescriptorSet())));
    for (const auto& file : set.file()) {
      const FileDescriptor* built = pool_.BuildFile(file);
      REQUIRE(built != nullptr);
      if (file.package() == "kvs.v1" || file.package() == "txn.v1") Add(*built);
    }
  }

  const Lines& lines() const { return lines_; }
  // The names of elements without a comment before them.
  const Lines& undocumented() const { return undocumented_; }

 private:
  template <class Element>
  void Add(const Element& element, const std::string& line) {
    lines_.push_back(line);
    google::protobuf::SourceLocation location;
    if (!element.GetSourceLocation(&location) || absl::StripAsciiWhitespace(location.leading_comments).empty()) {
      undocumented_.push_back(element.full_name());
    }
  }

  void Add(const FileDescriptor& file) {
    lines_.push_back(absl::StrCat("file ", file.name(), " package ", file.package(), " go ",
                                  file.options().go_package(), " java ", file.options().java_package()));
    for (int i = 0; i < file.service_count(); ++i) Add(*file.service(i));
    for (int i = 0; i < file.message_type_count(); ++i) Add(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) Add(*file.enum_type(i));
  }

  void Add(const ServiceDescriptor& service) {
    Add(service, absl::StrCat("service ", service.full_name()));
    for (int i = 0; i < service.method_count(); ++i) {
      const auto& method = *service.method(i);
      Add(method, absl::StrCat("method ", method.full_name(), " (", method.client_streaming() ? "stream " : "",
                               method.input_type()->full_name(), ") returns (",
                               method.server_streaming() ? "stream " : "", method.output_type()->full_name(), ")"));
    }
  }

  void Add(const Descriptor& message) {
    if (message.options().map_entry()) return;
    Add(message, absl::StrCat("message ", message.full_name()));
    for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
      Add(*message.oneof_decl(i), absl::StrCat("oneof ", message.oneof_decl(i)->full_name()));
    }
    for (int i = 0; i < message.field_count(); ++i) Add(*message.field(i));
    for (int i = 0; i < message.nested_type_count(); ++i) Add(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) Add(*message.enum_type(i));
  }

  void Add(const FieldDescriptor& field) {
    std::string kind;
    if (field.is_repeated() && !field.is_map()) kind = "repeated ";
    if (field.has_optional_keyword()) kind = "optional ";
    if (field.real_containing_oneof()) kind = absl::StrCat("oneof ", field.real_containing_oneof()->name(), " ");
    Add(field, absl::StrCat("field ", field.full_name(), " = ", field.number(), " ", kind, TypeOf(field)));
  }

  void Add(const EnumDescriptor& type) {
    Add(type, absl::StrCat("enum ", type.full_name()));
    for (int i = 0; i < type.value_count(); ++i) {
      const auto& value = *type.value(i);
      Add(value, absl::StrCat("value ", type.full_name(), ".", value.name(), " = ", value.number()));
    }
  }

  DescriptorPool pool_;
  Lines lines_;
  Lines undocumented_;
};

Lines ReadGolden() {
  std::ifstream file(kGoldenPath);
  std::stringstream text;
  text << file.rdbuf();
  return absl::StrSplit(text.str(), '\n', absl::SkipEmpty());
}

// What is in `a` and not in `b`, a line each.
std::string Difference(const Lines& a, const Lines& b) {
  const std::set<std::string> known(b.begin(), b.end());
  Lines missing;
  std::copy_if(a.begin(), a.end(), std::back_inserter(missing),
               [&](const std::string& line) { return known.count(line) == 0; });
  return absl::StrJoin(missing, "\n");
}

TEST_CASE("no element of the APIs is taken away, renumbered or retyped") {
  INFO("Clients and stored files depend on these elements of "
       << kGoldenPath
       << ".\n"
          "Bring them back as they were; what is not wanted any more stays, and its comment says so.");
  CHECK(Difference(ReadGolden(), Api().lines()) == "");
}

TEST_CASE("every element of the APIs is among the released ones") {
  const Api api;
  if (std::getenv("KVS_UPDATE_GOLDEN") != nullptr && Difference(ReadGolden(), api.lines()).empty()) {
    std::ofstream(kGoldenPath) << absl::StrJoin(api.lines(), "\n") << "\n";
  }
  INFO(
      "These elements are new, and cannot be changed once they are released. If they are as they should be for good:\n"
      "KVS_UPDATE_GOLDEN=1 build/release/bin/common_test 'every element of the APIs*', and commit "
      << kGoldenPath);
  CHECK(Difference(api.lines(), ReadGolden()) == "");
}

TEST_CASE("every element of the APIs has a comment") { CHECK(absl::StrJoin(Api().undocumented(), "\n") == ""); }

}  // namespace
}  // namespace kvs
