// Every verb of every type, through both servers, and again after a restart of both.

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/errors.h"
#include "kvs/v1/map_store.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/raw_call.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

// ---- What all types have in common. ----

struct TypeCase {
  std::string service;
  std::string put;    // operands of a Put
  std::string value;  // what Get answers
};

const TypeCase kTypes[] = {
    {"IntStore", "value: -41", "value: -41"},
    {"UintStore", "value: 41", "value: 41"},
    {"FloatStore", "value: 0.1", "value: 0.1"},
    {"StringStore", "value: 'text'", "value: \"text\""},
    {"SetStore", "members: 'b' members: 'a'", "members: \"a\" members: \"b\""},
    {"MapStore", "fields { key: 'name' value: 'v' }", "fields { key: \"name\" value: \"v\" }"},
};

// The zero or empty value of each type, which is a value like any other.
const TypeCase kZeros[] = {
    {"IntStore", "value: 0", "value: 0 "},
    {"UintStore", "value: 0", "value: 0 "},
    {"FloatStore", "value: 0", "value: 0 "},
    {"StringStore", "value: ''", "value: \"\" "},
    {"SetStore", "", ""},
    {"MapStore", "", ""},
};

TEST_CASE_METHOD(ApiPair, "a key of every type is put, read, replaced and deleted") {
  for (const TypeCase& type : kTypes) {
    const std::string key = "key: 'k' ";
    const uint64_t first = LatestRevision() + 1;
    const auto at = [first](uint64_t n) {
      const std::string revision = std::to_string(first + n);
      return " revision: " + revision + " latest_revision: " + revision;
    };
    INFO(type.service);
    CHECK(Ask(type.service + ".Get", key) == "NOT_FOUND KEY_NOT_FOUND");
    CHECK(Ask(type.service + ".Put", key + type.put) == "replaced: false" + at(0));
    CHECK(Ask(type.service + ".Get", key) == type.value + at(0));
    CHECK(Ask(type.service + ".Put", key + type.put) == "replaced: true" + at(1));
    CHECK(Ask(type.service + ".Get", key) == type.value + at(1));
    CHECK(Ask(type.service + ".Delete", key) == "deleted: true" + at(2));
    CHECK(Ask(type.service + ".Get", key) == "NOT_FOUND KEY_NOT_FOUND");
    CHECK(Ask(type.service + ".Put", key + type.put) == "replaced: false" + at(3));
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "deleting an absent key is OK, and takes no revision") {
  Ask("IntStore.Put", "key: 'other' value: 1");
  for (const TypeCase& type : kTypes) {
    CHECK(Ask(type.service + ".Delete", "key: 'k'") == "deleted: false revision: 0 latest_revision: 1");
  }
  CHECK(LatestRevision() == 1);
}

TEST_CASE_METHOD(ApiPair, "zero and empty values are shown, and outlive a restart") {
  for (const TypeCase& type : kZeros) Ask(type.service + ".Put", "key: 'k' " + type.put);
  for (const TypeCase& type : kZeros) {
    const std::string revision = std::to_string(&type - kZeros + 1);
    CHECK(Ask(type.service + ".Get", "key: 'k'") == type.value + "revision: " + revision + " latest_revision: 6");
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "a key of one type says nothing about the other types") {
  for (const TypeCase& type : kTypes) {
    CHECK(Ask(type.service + ".Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
    Ask(type.service + ".Put", "key: 'k' " + type.put);
  }
  Ask("StringStore.Delete", "key: 'k'");
  for (const TypeCase& type : kTypes) {
    if (type.service == "StringStore") continue;
    CHECK_THAT(Ask(type.service + ".Get", "key: 'k'"), ContainsText(type.value));
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "revision is that of the key, latest_revision the newest of all") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  Ask("IntStore.Put", "key: 'b' value: 2");
  Ask("SetStore.Put", "key: 'c'");
  CHECK(Ask("IntStore.Get", "key: 'a'") == "value: 1 revision: 1 latest_revision: 3");
  CHECK(Ask("SetStore.Size", "key: 'c'") == "size: 0 revision: 3 latest_revision: 3");
  CHECK(Ask("IntStore.Delete", "key: 'x'") == "deleted: false revision: 0 latest_revision: 3");
}

TEST_CASE_METHOD(ApiPair, "keys of 1 and of 1,024 bytes, and of any text, outlive a restart") {
  const std::string longest(1024, 'k');
  for (const std::string& key :
       {std::string("k"), longest, std::string("a b/c\\n\\t\\\"\\'\xC3\xA9\xF0\x9F\x98\x80")}) {
    CHECK_THAT(Ask("IntStore.Put", "key: '" + key + "' value: 1"), ContainsText("replaced: false"));
    CHECK_THAT(Ask("IntStore.Get", "key: '" + key + "'"), ContainsText("value: 1"));
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "the samples know every method that takes a key, and which of them are mutations") {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  size_t keyed = 0;
  for (const std::string& name : ApiMethods()) {
    const auto* request = pool->FindMethodByName("kvs.v1." + name)->input_type();
    if (request->FindFieldByName("key") == nullptr) continue;
    ++keyed;
    const auto sample = std::find_if(SampleRequests().begin(), SampleRequests().end(),
                                     [&, name = name](const SampleRequest& s) { return s.method == name; });
    REQUIRE(sample != SampleRequests().end());
    CHECK(sample->is_mutation == (request->FindFieldByName("request_id") != nullptr));
  }
  CHECK(keyed == SampleRequests().size());
}

// ---- Numbers. ----

TEST_CASE_METHOD(ApiPair, "an int is incremented by 1, by a delta, and downwards") {
  CHECK(Ask("IntStore.Increment", "key: 'k'") == "previous: 0 value: 1 revision: 1 latest_revision: 1");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 41") == "previous: 1 value: 42 revision: 2 latest_revision: 2");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: -50") == "previous: 42 value: -8 revision: 3 latest_revision: 3");
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: -8 revision: 3 latest_revision: 3");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "an increment by 0 takes no revision and makes no key") {
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 0") == "previous: 0 value: 0 revision: 0 latest_revision: 0");
  CHECK(Ask("UintStore.Increment", "key: 'k' delta: 0") == "previous: 0 value: 0 revision: 0 latest_revision: 0");
  CHECK(Ask("UintStore.Increment", "key: 'k' decrement: 0") == "previous: 0 value: 0 revision: 0 latest_revision: 0");
  CHECK(Ask("FloatStore.Increment", "key: 'k' delta: 0") == "previous: 0 value: 0 revision: 0 latest_revision: 0");
  CHECK(Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  Ask("IntStore.Put", "key: 'k' value: 5");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 0") == "previous: 5 value: 5 revision: 1 latest_revision: 1");
  CHECK(LatestRevision() == 1);
}

TEST_CASE_METHOD(ApiPair, "an int has all 64 bits") {
  const std::string min = "-9223372036854775808", max = "9223372036854775807";
  for (const std::string& value : {min, max}) {
    Ask("IntStore.Put", "key: 'k" + value + "' value: " + value);
    CHECK_THAT(Ask("IntStore.Get", "key: 'k" + value + "'"), ContainsText("value: " + value + " "));
  }
  CHECK_THAT(Ask("IntStore.Increment", "key: 'k" + min + "' delta: " + max), ContainsText("value: -1 "));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "an int past either end is OUT_OF_RANGE and stays") {
  Ask("IntStore.Put", "key: 'max' value: 9223372036854775807");
  Ask("IntStore.Put", "key: 'min' value: -9223372036854775808");
  CHECK(Ask("IntStore.Increment", "key: 'max'") == "OUT_OF_RANGE OVERFLOW");
  CHECK(Ask("IntStore.Increment", "key: 'min' delta: -1") == "OUT_OF_RANGE OVERFLOW");
  CHECK_THAT(Ask("IntStore.Get", "key: 'max'"), ContainsText("value: 9223372036854775807 revision: 1 "));
  CHECK(LatestRevision() == 2);
}

TEST_CASE_METHOD(ApiPair, "a uint is incremented and decremented") {
  CHECK(Ask("UintStore.Increment", "key: 'k'") == "previous: 0 value: 1 revision: 1 latest_revision: 1");
  CHECK(Ask("UintStore.Increment", "key: 'k' delta: 9") == "previous: 1 value: 10 revision: 2 latest_revision: 2");
  CHECK(Ask("UintStore.Increment", "key: 'k' decrement: 10") == "previous: 10 value: 0 revision: 3 latest_revision: 3");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "a uint has all 64 bits, and nothing past either end") {
  const std::string max = "18446744073709551615";
  Ask("UintStore.Put", "key: 'max' value: " + max);
  Ask("UintStore.Put", "key: 'zero' value: 0");
  CHECK_THAT(Ask("UintStore.Get", "key: 'max'"), ContainsText("value: " + max));
  CHECK(Ask("UintStore.Increment", "key: 'max'") == "OUT_OF_RANGE OVERFLOW");
  CHECK(Ask("UintStore.Increment", "key: 'zero' decrement: 1") == "OUT_OF_RANGE OVERFLOW");
  CHECK(Ask("UintStore.Increment", "key: 'absent' decrement: 1") == "OUT_OF_RANGE OVERFLOW");
  CHECK(LatestRevision() == 2);
  CHECK_THAT(Ask("UintStore.Increment", "key: 'zero' delta: " + max), ContainsText("previous: 0 value: " + max));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "a float is incremented by 1, by a delta, and downwards") {
  CHECK(Ask("FloatStore.Increment", "key: 'k'") == "previous: 0 value: 1 revision: 1 latest_revision: 1");
  CHECK(Ask("FloatStore.Increment", "key: 'k' delta: -0.75") ==
        "previous: 1 value: 0.25 revision: 2 latest_revision: 2");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "floats keep their bits") {
  // Text of a double that is read back is the same double: -0, the smallest, the greatest, and sums that round.
  for (const char* value : {"-0", "4.94065645841247e-324", "-4.94065645841247e-324", "2.2250738585072014e-308",
                            "1.7976931348623157e+308", "-1.7976931348623157e+308", "0.1", "0.30000000000000004"}) {
    const std::string key = "key: '" + std::string(value) + "' ";
    Ask("FloatStore.Put", key + "value: " + value);
    CHECK_THAT(Ask("FloatStore.Get", key), ContainsText("value: " + std::string(value) + " "));
  }
  Ask("FloatStore.Put", "key: 'sum' value: 0.1");
  CHECK_THAT(Ask("FloatStore.Increment", "key: 'sum' delta: 0.2"), ContainsText("value: 0.30000000000000004 "));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "a float past either end is OUT_OF_RANGE and stays") {
  Ask("FloatStore.Put", "key: 'max' value: 1.7976931348623157e308");
  Ask("FloatStore.Put", "key: 'min' value: -1.7976931348623157e308");
  CHECK(Ask("FloatStore.Increment", "key: 'max' delta: 1e308") == "OUT_OF_RANGE OVERFLOW");
  CHECK(Ask("FloatStore.Increment", "key: 'min' delta: -1e308") == "OUT_OF_RANGE OVERFLOW");
  CHECK(LatestRevision() == 2);
}

// ---- Strings. ----

TEST_CASE_METHOD(ApiPair, "text is added to a string, and its size is told in bytes") {
  CHECK(Ask("StringStore.Append", "key: 'k' value: 'caf'") == "size_bytes: 3 revision: 1 latest_revision: 1");
  CHECK(Ask("StringStore.Append", "key: 'k' value: '\xC3\xA9'") == "size_bytes: 5 revision: 2 latest_revision: 2");
  CHECK(Ask("StringStore.Get", "key: 'k'") == "value: \"caf\xC3\xA9\" revision: 2 latest_revision: 2");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "appending nothing takes no revision and makes no key") {
  CHECK(Ask("StringStore.Append", "key: 'k' value: ''") == "size_bytes: 0 revision: 0 latest_revision: 0");
  CHECK(Ask("StringStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  Ask("StringStore.Put", "key: 'k' value: 'text'");
  CHECK(Ask("StringStore.Append", "key: 'k' value: ''") == "size_bytes: 4 revision: 1 latest_revision: 1");
  CHECK(LatestRevision() == 1);
}

// ---- Sets. ----

TEST_CASE_METHOD(ApiPair, "members of a set are unique and in byte order, however they were put") {
  Ask("SetStore.Put", "key: 'k' members: 'z' members: '\xC3\xA9' members: 'a' members: 'z' members: 'B'");
  CHECK(Ask("SetStore.Get", "key: 'k'") ==
        "members: \"B\" members: \"a\" members: \"z\" members: \"\xC3\xA9\" revision: 1 latest_revision: 1");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "adding members tells how many are new, and how many there are") {
  CHECK(Ask("SetStore.Add", "key: 'k' members: 'b' members: 'a' members: 'b'") ==
        "added: 2 size: 2 revision: 1 latest_revision: 1");
  CHECK(Ask("SetStore.Add", "key: 'k' members: 'a' members: 'c'") == "added: 1 size: 3 revision: 2 latest_revision: 2");
  CHECK(Ask("SetStore.Add", "key: 'k' members: 'a' members: 'b'") == "added: 0 size: 3 revision: 2 latest_revision: 2");
  CHECK(LatestRevision() == 2);
  CHECK_THAT(Ask("SetStore.Get", "key: 'k'"), ContainsText("members: \"a\" members: \"b\" members: \"c\""));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "removing members tells how many were there, and how many remain") {
  Ask("SetStore.Put", "key: 'k' members: 'a' members: 'b' members: 'c'");
  CHECK(Ask("SetStore.Remove", "key: 'k' members: 'c' members: 'x'") ==
        "removed: 1 size: 2 revision: 2 latest_revision: 2");
  CHECK(Ask("SetStore.Remove", "key: 'k' members: 'c'") == "removed: 0 size: 2 revision: 2 latest_revision: 2");
  CHECK(Ask("SetStore.Remove", "key: 'absent' members: 'a'") == "removed: 0 size: 0 revision: 0 latest_revision: 2");
  CHECK(LatestRevision() == 2);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "an emptied set exists until it is deleted") {
  Ask("SetStore.Put", "key: 'k' members: 'a'");
  CHECK(Ask("SetStore.Remove", "key: 'k' members: 'a'") == "removed: 1 size: 0 revision: 2 latest_revision: 2");
  CHECK(Ask("SetStore.Get", "key: 'k'") == "revision: 2 latest_revision: 2");
  CHECK(Ask("SetStore.Size", "key: 'k'") == "size: 0 revision: 2 latest_revision: 2");
  CheckSameAfterRestart();
  CHECK_THAT(Ask("Keys.Exists", "key: 'k'"), ContainsText("exists: true"));
  CHECK(Ask("SetStore.Delete", "key: 'k'") == "deleted: true revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(ApiPair, "a set tells whether it contains a text, and its size") {
  Ask("SetStore.Put", "key: 'k' members: 'a' members: 'b'");
  CHECK(Ask("SetStore.Contains", "key: 'k' member: 'a'") == "contains: true revision: 1 latest_revision: 1");
  CHECK(Ask("SetStore.Contains", "key: 'k' member: 'A'") == "contains: false revision: 1 latest_revision: 1");
  CHECK(Ask("SetStore.Size", "key: 'k'") == "size: 2 revision: 1 latest_revision: 1");
  CHECK(Ask("SetStore.Contains", "key: 'x' member: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(Ask("SetStore.Size", "key: 'x'") == "NOT_FOUND KEY_NOT_FOUND");
}

TEST_CASE_METHOD(ApiPair, "a set is paged through in byte order") {
  Ask("SetStore.Put", "key: 'k' members: 'a' members: 'b' members: 'c'");
  const std::string revision = " revision: 1 latest_revision: 1";
  CHECK(Ask("SetStore.ListMembers", "key: 'k' limit: 2") == "members: \"a\" members: \"b\" more: true" + revision);
  CHECK(Ask("SetStore.ListMembers", "key: 'k' limit: 2 start_after: 'b'") == "members: \"c\" more: false" + revision);
  CHECK(Ask("SetStore.ListMembers", "key: 'k' limit: 1 start_after: 'b'") == "members: \"c\" more: false" + revision);
  // A text that is not a member is a place to go on from as well.
  CHECK(Ask("SetStore.ListMembers", "key: 'k' start_after: 'aa'") ==
        "members: \"b\" members: \"c\" more: false" + revision);
  CHECK(Ask("SetStore.ListMembers", "key: 'k' start_after: 'c'") == "more: false" + revision);
  CHECK(Ask("SetStore.ListMembers", "key: 'x'") == "NOT_FOUND KEY_NOT_FOUND");
}

// ---- Maps. ----

TEST_CASE_METHOD(ApiPair, "putting fields tells how many are new, and leaves the others") {
  CHECK(Ask("MapStore.PutFields", "key: 'k' fields { key: 'b' value: '2' } fields { key: 'a' value: '1' }") ==
        "added: 2 size: 2 revision: 1 latest_revision: 1");
  CHECK(Ask("MapStore.PutFields", "key: 'k' fields { key: 'b' value: 'two' } fields { key: 'c' value: '' }") ==
        "added: 1 size: 3 revision: 2 latest_revision: 2");
  CHECK(Ask("MapStore.Get", "key: 'k'") ==
        "fields { key: \"a\" value: \"1\" } fields { key: \"b\" value: \"two\" } fields { key: \"c\" value: \"\" } "
        "revision: 2 latest_revision: 2");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "putting the same fields again is a change all the same") {
  Ask("MapStore.PutFields", "key: 'k' fields { key: 'a' value: '1' }");
  CHECK(Ask("MapStore.PutFields", "key: 'k' fields { key: 'a' value: '1' }") ==
        "added: 0 size: 1 revision: 2 latest_revision: 2");
}

TEST_CASE_METHOD(ApiPair, "fields are read by name, and those that are not there are left out") {
  Ask("MapStore.Put", "key: 'k' fields { key: 'a' value: '1' } fields { key: 'b' value: '2' }");
  CHECK(Ask("MapStore.GetFields", "key: 'k' names: 'b' names: 'x' names: 'b'") ==
        "fields { key: \"b\" value: \"2\" } revision: 1 latest_revision: 1");
  CHECK(Ask("MapStore.GetFields", "key: 'k' names: 'x'") == "revision: 1 latest_revision: 1");
  CHECK(Ask("MapStore.GetFields", "key: 'x' names: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
}

TEST_CASE_METHOD(ApiPair, "removing fields tells how many were there, and how many remain") {
  Ask("MapStore.Put", "key: 'k' fields { key: 'a' value: '1' } fields { key: 'b' value: '2' }");
  CHECK(Ask("MapStore.RemoveFields", "key: 'k' names: 'b' names: 'x'") ==
        "removed: 1 size: 1 revision: 2 latest_revision: 2");
  CHECK(Ask("MapStore.RemoveFields", "key: 'k' names: 'b'") == "removed: 0 size: 1 revision: 2 latest_revision: 2");
  CHECK(Ask("MapStore.RemoveFields", "key: 'x' names: 'b'") == "removed: 0 size: 0 revision: 0 latest_revision: 2");
  CHECK(LatestRevision() == 2);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "an emptied map exists until it is deleted") {
  Ask("MapStore.Put", "key: 'k' fields { key: 'a' value: '1' }");
  CHECK(Ask("MapStore.RemoveFields", "key: 'k' names: 'a'") == "removed: 1 size: 0 revision: 2 latest_revision: 2");
  CHECK(Ask("MapStore.Get", "key: 'k'") == "revision: 2 latest_revision: 2");
  CHECK(Ask("MapStore.Size", "key: 'k'") == "size: 0 revision: 2 latest_revision: 2");
  CheckSameAfterRestart();
  CHECK(Ask("MapStore.Delete", "key: 'k'") == "deleted: true revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(ApiPair, "a map is paged through in the byte order of its names") {
  Ask("MapStore.Put",
      "key: 'k' fields { key: 'c' value: '3' } fields { key: 'a' value: '1' } fields { key: 'b' value: '' }");
  const std::string revision = " revision: 1 latest_revision: 1";
  CHECK(Ask("MapStore.ListFields", "key: 'k' limit: 2") ==
        "fields { name: \"a\" value: \"1\" } fields { name: \"b\" } more: true" + revision);
  CHECK(Ask("MapStore.ListFields", "key: 'k' limit: 2 start_after: 'b'") ==
        "fields { name: \"c\" value: \"3\" } more: false" + revision);
  CHECK(Ask("MapStore.ListFields", "key: 'k' start_after: 'c'") == "more: false" + revision);
  CHECK(Ask("MapStore.ListFields", "key: 'x'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(Ask("MapStore.Size", "key: 'k'") == "size: 3" + revision);
  CHECK(Ask("MapStore.Size", "key: 'x'") == "NOT_FOUND KEY_NOT_FOUND");
}

// The names of a map field of a message, in the order in which they are on the wire.
std::vector<std::string> NamesOnTheWire(const std::string& message) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                                            static_cast<int>(message.size()));
  std::vector<std::string> names;
  while (in.ReadTag() == 0x0A) {  // field 1, an entry
    uint32_t size = 0;
    REQUIRE(in.ReadVarint32(&size));
    const auto limit = in.PushLimit(static_cast<int>(size));
    REQUIRE(in.ReadTag() == 0x0A);  // its name
    REQUIRE(in.ReadVarint32(&size));
    REQUIRE(in.ReadString(&names.emplace_back(), static_cast<int>(size)));
    in.Skip(in.BytesUntilLimit());
    in.PopLimit(limit);
  }
  return names;
}

TEST_CASE_METHOD(ApiPair, "fields of a map are on the wire in the byte order of their names") {
  v1::MapStorePutRequest put;
  std::vector<std::string> expected;
  for (int i = 1000; i < 1100; ++i) expected.push_back(std::to_string(i));
  expected.push_back("\xC3\xA9");
  for (const std::string& name : expected) (*put.mutable_fields())[name] = "value";
  put.set_key("k");
  std::string response;
  REQUIRE(RawCall(pair_.channel(), "/kvs.v1.MapStore/Put", put.SerializeAsString(), &response).ok());
  v1::MapStoreGetFieldsRequest get;
  get.set_key("k");
  REQUIRE(RawCall(pair_.channel(), "/kvs.v1.MapStore/Get", get.SerializeAsString(), &response).ok());
  CHECK(NamesOnTheWire(response) == expected);
  *get.mutable_names() = {expected.rbegin(), expected.rend()};
  REQUIRE(RawCall(pair_.channel(), "/kvs.v1.MapStore/GetFields", get.SerializeAsString(), &response).ok());
  CHECK(NamesOnTheWire(response) == expected);
}

// ---- Everything at once. ----

TEST_CASE_METHOD(ApiPair, "a random history of all verbs is the same after a restart") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const SampleRequest& sample = SampleRequests()[random() % SampleRequests().size()];
    if (sample.method == "Keys.Delete" && random() % 4) continue;
    Ask(sample.method, sample.WithKey("key-" + std::to_string(random() % 20)));
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(ApiPair, "revisions go on after a restart where they ended") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  Ask("IntStore.Delete", "key: 'k'");
  CheckSameAfterRestart();
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1") == "replaced: false revision: 3 latest_revision: 3");
  CheckSameAfterRestart();
}

}  // namespace
}  // namespace kvs
