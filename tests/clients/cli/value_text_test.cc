#include "clients/cli/value_text.h"

#include <limits>

#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("single values are bare") {
  CHECK(ValueText(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(ValueText(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(ValueText(2.5) == "2.5");
  CHECK(ValueText(std::string("a\n\x1b")) == "a\n\x1b");
}

TEST_CASE("members are lines") {
  google::protobuf::RepeatedPtrField<std::string> members;
  CHECK(MembersText(members).empty());
  members.Add(std::string("a\nb"));
  members.Add(std::string("c"));
  CHECK(MembersText(members) == "a\\nb\nc\n");
}

TEST_CASE("fields are lines in order, and the first equals sign separates") {
  google::protobuf::Map<std::string, std::string> fields;
  fields.insert({"z", "1"});
  fields.insert({"a=b", "c=d"});
  CHECK(FieldsText(fields) == "a\\x3db=c=d\nz=1\n");
  CHECK(EscapedFields(fields) == std::vector<std::string>{"a\\x3db=c=d", "z=1"});
}

}  // namespace
}  // namespace kvs::cli
