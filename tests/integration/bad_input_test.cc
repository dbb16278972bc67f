// Bad input gets a clear error and changes nothing.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/float_store.grpc.pb.h"
#include "kvs/v1/map_store.grpc.pb.h"
#include "kvs/v1/set_store.grpc.pb.h"
#include "kvs/v1/string_store.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/raw_call.h"

namespace kvs {
namespace {

// A pair with a key "k" of each type, which every test leaves as it is.
class BadInput : public ApiPair {
 protected:
  explicit BadInput(size_t max_collection_bytes = kDefaultMaxCollectionBytes) : ApiPair(max_collection_bytes) {
    for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey("k"));
    before_ = client().Dump();
  }

  void CheckNothingChanged() {
    CHECK(LatestRevision() == 6);
    CHECK(client().Dump() == before_);
  }

  // A request is refused as `error`, which Ask's words name, and changes nothing.
  void CheckRefused(const std::string& method, const std::string& request, const std::string& error) {
    INFO(method << " " << request.substr(0, 100));
    CHECK(Ask(method, request) == error);
    CheckNothingChanged();
  }

  // Every method that takes a key refuses this one.
  void CheckKeyRefused(const std::string& key, const std::string& error) {
    for (const SampleRequest& sample : SampleRequests()) {
      INFO(sample.method);
      CHECK(Ask(sample.method, sample.WithKey(key)) == error);
    }
    CheckNothingChanged();
  }

  absl::Status Raw(const std::string& method, const std::string& bytes) {
    std::string response;
    return RawCall(pair_.channel(), "/kvs.v1." + absl::StrReplaceAll(method, {{".", "/"}}), bytes, &response);
  }

 private:
  std::vector<std::string> before_;
};

const char kInvalidKey[] = "INVALID_ARGUMENT INVALID_KEY";
const char kInvalidText[] = "INVALID_ARGUMENT INVALID_TEXT";
const char kMissingField[] = "INVALID_ARGUMENT MISSING_FIELD";
const char kNotFinite[] = "INVALID_ARGUMENT NOT_FINITE";
const char kOverflow[] = "OUT_OF_RANGE OVERFLOW";
const char kTooLarge[] = "INVALID_ARGUMENT VALUE_TOO_LARGE";
const char kUnknownType[] = "INVALID_ARGUMENT UNKNOWN_TYPE";

// ---- Keys. ----

TEST_CASE_METHOD(BadInput, "an empty key is refused") { CheckKeyRefused("", kInvalidKey); }

TEST_CASE_METHOD(BadInput, "a key of 1,025 bytes is refused") { CheckKeyRefused(std::string(1025, 'k'), kInvalidKey); }

TEST_CASE_METHOD(BadInput, "a key of 1,025 bytes is refused, though it has fewer characters") {
  std::string key = "k";
  for (int i = 0; i < 512; ++i) key += "\xC3\xA9";
  CheckKeyRefused(key, kInvalidKey);
}

TEST_CASE_METHOD(BadInput, "NUL in a key is refused") { CheckKeyRefused("a\\000b", kInvalidKey); }

TEST_CASE_METHOD(BadInput, "NUL alone as a key is refused") { CheckKeyRefused("\\000", kInvalidKey); }

TEST_CASE_METHOD(BadInput, "a key that is not set is refused") {
  for (const SampleRequest& sample : SampleRequests()) CHECK(Ask(sample.method, sample.operands) == kInvalidKey);
  CheckNothingChanged();
}

// ---- Texts. ----

TEST_CASE_METHOD(BadInput, "NUL in a string is refused") {
  CheckRefused("StringStore.Put", "key: 'k' value: 'a\\000b'", kInvalidText);
  CheckRefused("StringStore.Append", "key: 'k' value: '\\000'", kInvalidText);
}

TEST_CASE_METHOD(BadInput, "NUL in a member is refused") {
  for (const char* method : {"SetStore.Put", "SetStore.Add", "SetStore.Remove"}) {
    CheckRefused(method, "key: 'k' members: 'good' members: 'a\\000b'", kInvalidKey);
  }
  CheckRefused("SetStore.Contains", "key: 'k' member: 'a\\000b'", kInvalidKey);
  CheckRefused("SetStore.ListMembers", "key: 'k' start_after: 'a\\000b'", kInvalidKey);
}

TEST_CASE_METHOD(BadInput, "NUL in a field's name is refused") {
  for (const char* method : {"MapStore.Put", "MapStore.PutFields"}) {
    CheckRefused(method, "key: 'k' fields { key: 'a\\000b' value: 'v' }", kInvalidKey);
  }
  for (const char* method : {"MapStore.GetFields", "MapStore.RemoveFields"}) {
    CheckRefused(method, "key: 'k' names: 'a\\000b'", kInvalidKey);
  }
  CheckRefused("MapStore.ListFields", "key: 'k' start_after: 'a\\000b'", kInvalidKey);
}

TEST_CASE_METHOD(BadInput, "NUL in a field's value is refused") {
  for (const char* method : {"MapStore.Put", "MapStore.PutFields"}) {
    CheckRefused(method, "key: 'k' fields { key: 'name' value: 'a\\000b' }", kInvalidText);
  }
}

TEST_CASE_METHOD(BadInput, "an empty member or field name is refused") {
  CheckRefused("SetStore.Add", "key: 'k' members: ''", kInvalidKey);
  CheckRefused("SetStore.Contains", "key: 'k' member: ''", kInvalidKey);
  CheckRefused("MapStore.PutFields", "key: 'k' fields { key: '' value: 'v' }", kInvalidKey);
  CheckRefused("MapStore.RemoveFields", "key: 'k' names: ''", kInvalidKey);
}

TEST_CASE_METHOD(BadInput, "a member or field name of 1,025 bytes is refused") {
  const std::string name(1025, 'n');
  CheckRefused("SetStore.Add", absl::StrCat("key: 'k' members: '", name, "'"), kInvalidKey);
  CheckRefused("MapStore.PutFields", absl::StrCat("key: 'k' fields { key: '", name, "' value: 'v' }"), kInvalidKey);
}

TEST_CASE_METHOD(BadInput, "a name of 1,024 bytes is accepted") {
  const std::string name(1024, 'n');
  CHECK_THAT(Ask("SetStore.Add", absl::StrCat("key: 'k' members: '", name, "'")), ContainsText("added: 1"));
  CHECK_THAT(Ask("SetStore.Contains", absl::StrCat("key: 'k' member: '", name, "'")), ContainsText("true"));
  CHECK_THAT(Ask("MapStore.PutFields", absl::StrCat("key: 'k' fields { key: '", name, "' value: 'v' }")),
             ContainsText("added: 1"));
  CHECK_THAT(Ask("MapStore.GetFields", absl::StrCat("key: 'k' names: '", name, "'")), ContainsText("value: \"v\""));
}

// ---- Requests that cannot be parsed. ----

// The serialized request with "XX" made into bytes that are not UTF-8.
template <class Request>
std::string InvalidUtf8(const std::string& text) {
  Request request;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &request));
  const std::string bytes = absl::StrReplaceAll(request.SerializeAsString(), {{"XX", "\xC3\x28"}});
  REQUIRE(bytes.find("\xC3\x28") != std::string::npos);
  return bytes;
}

TEST_CASE_METHOD(BadInput, "invalid UTF-8 in a key is refused") {
  const std::string bytes = InvalidUtf8<v1::StringStorePutRequest>("key: 'kXX' value: 'v'");
  CHECK(Is(Raw("StringStore.Put", bytes), errors::kMalformedRequest));
  // The same bytes are a key and nothing else in every other request.
  for (const SampleRequest& sample : SampleRequests()) {
    CHECK(Is(Raw(sample.method, "\x0A\x03k\xC3\x28"), errors::kMalformedRequest));
  }
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "invalid UTF-8 in a value is refused") {
  const std::string bytes = InvalidUtf8<v1::StringStorePutRequest>("key: 'k' value: 'XX'");
  CHECK(Is(Raw("StringStore.Put", bytes), errors::kMalformedRequest));
  CHECK(Is(Raw("StringStore.Append", bytes), errors::kMalformedRequest));
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "invalid UTF-8 in a member is refused") {
  const std::string bytes = InvalidUtf8<v1::SetStoreAddRequest>("key: 'k' members: 'good' members: 'XX'");
  for (const char* method : {"SetStore.Put", "SetStore.Add", "SetStore.Remove", "SetStore.Contains"}) {
    CHECK(Is(Raw(method, bytes), errors::kMalformedRequest));
  }
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "invalid UTF-8 in a field's name or value is refused") {
  const std::string name = InvalidUtf8<v1::MapStorePutRequest>("key: 'k' fields { key: 'XX' value: 'v' }");
  const std::string value = InvalidUtf8<v1::MapStorePutRequest>("key: 'k' fields { key: 'name' value: 'XX' }");
  for (const char* method : {"MapStore.Put", "MapStore.PutFields"}) {
    CHECK(Is(Raw(method, name), errors::kMalformedRequest));
    CHECK(Is(Raw(method, value), errors::kMalformedRequest));
  }
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "other kinds of text that is not UTF-8 are refused") {
  // A surrogate, an overlong NUL, a lone continuation, a character past the last one, a cut one.
  for (const std::string text : {"\xED\xA0\x80", "\xC0\x80", "\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const std::string bytes = absl::StrCat("\x0A", std::string(1, static_cast<char>(text.size())), text);
    CHECK(Is(Raw("IntStore.Get", bytes), errors::kMalformedRequest));
    CHECK(Is(Raw("IntStore.Delete", bytes), errors::kMalformedRequest));
  }
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "bytes that are no message are refused") {
  // A length past the end, an unknown wire type, a tag of 0.
  for (const std::string& bytes : {std::string("\x0A\x7F"), std::string("\x0F"), std::string(1, '\0')}) {
    for (const SampleRequest& sample : SampleRequests()) {
      CHECK(Is(Raw(sample.method, bytes), errors::kMalformedRequest));
    }
  }
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "the error of a malformed request names the message that was expected") {
  CHECK_THAT(std::string(Raw("IntStore.Put", "\x0F").message()), ContainsText("kvs.v1.IntStorePutRequest"));
}

TEST_CASE_METHOD(BadInput, "a message without any field is a message, whose key is missing") {
  for (const SampleRequest& sample : SampleRequests()) CHECK(Is(Raw(sample.method, ""), errors::kInvalidKey));
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "fields that a newer client knows are ignored") {
  // Field 100, a varint.
  CHECK(Raw("IntStore.Get", "\x0A\x01k\xA0\x06\x01").ok());
  CheckNothingChanged();
}

TEST_CASE_METHOD(BadInput, "a method or service that does not exist is UNIMPLEMENTED") {
  CHECK(absl::IsUnimplemented(Raw("IntStore.Multiply", "")));
  CHECK(absl::IsUnimplemented(Raw("JsonStore.Put", "")));
  CheckNothingChanged();
}

// ---- Numbers. ----

TEST_CASE_METHOD(BadInput, "NaN and infinity cannot be put") {
  for (const char* value : {"nan", "inf", "-inf"}) {
    CheckRefused("FloatStore.Put", absl::StrCat("key: 'k' value: ", value), kNotFinite);
  }
}

TEST_CASE_METHOD(BadInput, "NaN and infinity cannot be added") {
  for (const char* value : {"nan", "inf", "-inf"}) {
    CheckRefused("FloatStore.Increment", absl::StrCat("key: 'k' delta: ", value), kNotFinite);
    CheckRefused("FloatStore.Increment", absl::StrCat("key: 'absent' delta: ", value), kNotFinite);
  }
}

TEST_CASE_METHOD(BadInput, "an int does not overflow, upwards or downwards") {
  CheckRefused("IntStore.Increment", "key: 'k' delta: 9223372036854775807", kOverflow);  // 41 +
  Ask("IntStore.Put", "key: 'low' value: -2");
  CHECK(Ask("IntStore.Increment", "key: 'low' delta: -9223372036854775807") == kOverflow);
  CHECK_THAT(Ask("IntStore.Get", "key: 'low'"), ContainsText("value: -2 "));
}

TEST_CASE_METHOD(BadInput, "a uint does not overflow, upwards or downwards") {
  CheckRefused("UintStore.Increment", "key: 'k' delta: 18446744073709551615", kOverflow);
  CheckRefused("UintStore.Increment", "key: 'k' decrement: 42", kOverflow);
  CheckRefused("UintStore.Increment", "key: 'absent' decrement: 1", kOverflow);
}

TEST_CASE_METHOD(BadInput, "a float does not overflow, upwards or downwards") {
  Ask("FloatStore.Put", "key: 'high' value: 1e308");
  Ask("FloatStore.Put", "key: 'low' value: -1e308");
  CHECK(Ask("FloatStore.Increment", "key: 'high' delta: 1e308") == kOverflow);
  CHECK(Ask("FloatStore.Increment", "key: 'low' delta: -1e308") == kOverflow);
  CHECK_THAT(Ask("FloatStore.Get", "key: 'high'"), ContainsText("value: 1e+308 "));
  CHECK(LatestRevision() == 8);
}

// ---- Types and fields. ----

TEST_CASE_METHOD(BadInput, "a type that does not exist is refused") {
  CheckRefused("Keys.Exists", "key: 'k' types: VALUE_TYPE_INT types: 7", kUnknownType);
  CheckRefused("Keys.Delete", "key: 'k' types: VALUE_TYPE_INT types: 7", kUnknownType);
  CheckRefused("Keys.Count", "types: 7", kUnknownType);
  CHECK(client().List("types: 7") == std::vector<std::string>{kUnknownType});
}

TEST_CASE_METHOD(BadInput, "VALUE_TYPE_UNSPECIFIED is refused") {
  CheckRefused("Keys.Exists", "key: 'k' types: VALUE_TYPE_UNSPECIFIED", kUnknownType);
  CheckRefused("Keys.Delete", "key: 'k' types: VALUE_TYPE_INT types: VALUE_TYPE_UNSPECIFIED", kUnknownType);
  CheckRefused("Keys.Count", "types: VALUE_TYPE_UNSPECIFIED", kUnknownType);
  CHECK(client().List("types: VALUE_TYPE_UNSPECIFIED") == std::vector<std::string>{kUnknownType});
}

TEST_CASE_METHOD(BadInput, "a value that is not set is refused, with the name of the field") {
  for (const char* method :
       {"IntStore.Put", "UintStore.Put", "FloatStore.Put", "StringStore.Put", "StringStore.Append"}) {
    CheckRefused(method, "key: 'k'", kMissingField);
    CHECK(MetadataOf(ErrorOf(method, "key: 'k'"), "field") == "value");
  }
}

TEST_CASE_METHOD(BadInput, "members, fields and names that are not set are refused where they are needed") {
  for (const auto& [method, field] :
       {std::pair("SetStore.Add", "members"), std::pair("SetStore.Remove", "members"),
        std::pair("MapStore.PutFields", "fields"), std::pair("MapStore.GetFields", "names"),
        std::pair("MapStore.RemoveFields", "names")}) {
    CheckRefused(method, "key: 'k'", kMissingField);
    CHECK(MetadataOf(ErrorOf(method, "key: 'k'"), "field") == field);
  }
}

TEST_CASE_METHOD(BadInput, "the limit of a page is 1 to 10,000") {
  for (const char* method : {"SetStore.ListMembers", "MapStore.ListFields"}) {
    CheckRefused(method, "key: 'k' limit: 0", "INVALID_ARGUMENT INVALID_LIMIT");
    CheckRefused(method, "key: 'k' limit: 10001", "INVALID_ARGUMENT INVALID_LIMIT");
    CHECK(ErrorOf(method, "key: 'k' limit: 10000").ok());
  }
}

// ---- Sizes. ----

std::string Text(size_t size) { return std::string(size, 'x'); }

TEST_CASE_METHOD(BadInput, "a string over 1 MiB is refused") {
  CheckRefused("StringStore.Put", absl::StrCat("key: 'k' value: '", Text(kMiB + 1), "'"), kTooLarge);
  CheckRefused("StringStore.Append", absl::StrCat("key: 'k' value: '", Text(kMiB + 1), "'"), kTooLarge);
  CHECK(MetadataOf(ErrorOf("StringStore.Put", absl::StrCat("key: 'k' value: '", Text(kMiB + 1), "'")), "limit") ==
        "1048576");
}

TEST_CASE_METHOD(BadInput, "an append whose result is over 1 MiB is refused") {
  // "text" is there.
  CheckRefused("StringStore.Append", absl::StrCat("key: 'k' value: '", Text(kMiB - 3), "'"),
               "RESOURCE_EXHAUSTED RESULT_TOO_LARGE");
  CHECK_THAT(Ask("StringStore.Append", absl::StrCat("key: 'k' value: '", Text(kMiB - 4), "'")),
             ContainsText("size_bytes: 1048576 "));
}

TEST_CASE_METHOD(BadInput, "a field's value over 1 MiB is refused") {
  const std::string fields = absl::StrCat("fields { key: 'f' value: '", Text(kMiB + 1), "' }");
  for (const char* method : {"MapStore.Put", "MapStore.PutFields"}) {
    CheckRefused(method, absl::StrCat("key: 'k' ", fields), kTooLarge);
  }
}

TEST_CASE_METHOD(BadInput, "fields over 1 MiB together are refused") {
  const std::string fields = absl::StrCat("fields { key: 'f' value: '", Text(kMiB / 2),
                                          "' } fields { key: 'g' value: '", Text(kMiB / 2), "' }");
  for (const char* method : {"MapStore.Put", "MapStore.PutFields"}) {
    CheckRefused(method, absl::StrCat("key: 'k' ", fields), kTooLarge);
  }
}

TEST_CASE_METHOD(BadInput, "members and names over 1 MiB together are refused") {
  std::string members, names;
  for (int i = 0; i < 1025; ++i) {
    absl::StrAppend(&members, "members: '", 10000 + i, Text(1019), "' ");
    absl::StrAppend(&names, "names: '", 10000 + i, Text(1019), "' ");
  }
  for (const char* method : {"SetStore.Put", "SetStore.Add", "SetStore.Remove"}) {
    CheckRefused(method, absl::StrCat("key: 'k' ", members), kTooLarge);
  }
  for (const char* method : {"MapStore.GetFields", "MapStore.RemoveFields"}) {
    CheckRefused(method, absl::StrCat("key: 'k' ", names), kTooLarge);
  }
}

TEST_CASE_METHOD(BadInput, "a message over 4 MiB is refused, and the connection serves on") {
  const std::string request = absl::StrCat("key: 'k' value: '", Text(4 * kMiB), "'");
  CheckRefused("StringStore.Put", request, "RESOURCE_EXHAUSTED");
}

TEST_CASE_METHOD(BadInput, "a message of exactly 4 MiB is read, and its value refused") {
  v1::StringStorePutRequest request;
  request.set_key("k");
  request.set_value(Text(4 * kMiB - 8));
  REQUIRE(request.ByteSizeLong() == 4 * kMiB);
  CHECK(Is(Raw("StringStore.Put", request.SerializeAsString()), errors::kValueTooLarge));
  request.mutable_value()->push_back('x');
  const absl::Status status = Raw("StringStore.Put", request.SerializeAsString());
  CHECK(absl::IsResourceExhausted(status));
  CHECK(ReasonOf(status).empty());
  CheckNothingChanged();
}

class SmallCollections : public BadInput {
 protected:
  SmallCollections() : BadInput(/*max_collection_bytes=*/1024) {}
};

TEST_CASE_METHOD(SmallCollections, "a set does not grow over --max-collection-bytes") {
  // "member" is there.
  const std::string request = absl::StrCat("key: 'k' members: '", Text(1019), "'");
  CheckRefused("SetStore.Add", request, "RESOURCE_EXHAUSTED COLLECTION_TOO_LARGE");
  CHECK(MetadataOf(ErrorOf("SetStore.Add", request), "limit") == "1024");
  CHECK_THAT(Ask("SetStore.Add", absl::StrCat("key: 'k' members: '", Text(1018), "'")), ContainsText("added: 1"));
}

TEST_CASE_METHOD(SmallCollections, "a collection over --max-collection-bytes is not put") {
  const std::string too_large[][2] = {
      {"SetStore.Put", absl::StrCat("key: 'k' members: 'ab' members: '", Text(1023), "'")},
      {"MapStore.Put", absl::StrCat("key: 'k' fields { key: 'f' value: '", Text(1024), "' }")}};
  for (const auto& [method, request] : too_large) {
    CheckRefused(method, request, "RESOURCE_EXHAUSTED COLLECTION_TOO_LARGE");
    CHECK(MetadataOf(ErrorOf(method, request), "limit") == "1024");
  }
  CHECK_THAT(Ask("SetStore.Put", absl::StrCat("key: 'k' members: 'a' members: '", Text(1023), "'")),
             ContainsText("replaced: true"));
  CHECK_THAT(Ask("MapStore.Put", absl::StrCat("key: 'k' fields { key: 'f' value: '", Text(1023), "' }")),
             ContainsText("replaced: true"));
}

TEST_CASE_METHOD(SmallCollections, "a map does not grow over --max-collection-bytes") {
  // "name" and "value" are there.
  const std::string request = absl::StrCat("key: 'k' fields { key: 'f' value: '", Text(1015), "' }");
  CheckRefused("MapStore.PutFields", request, "RESOURCE_EXHAUSTED COLLECTION_TOO_LARGE");
  CHECK_THAT(Ask("MapStore.PutFields", absl::StrCat("key: 'k' fields { key: 'f' value: '", Text(1014), "' }")),
             ContainsText("added: 1"));
}

// ---- What must not leak. ----

TEST_CASE_METHOD(BadInput, "neither values nor keys are logged, whatever happens to them") {
  Ask("StringStore.Put", "key: 'sesame-key' value: 'sesame'");
  Ask("StringStore.Put", "key: 'sesame-key' value: 'sesame\\000'");
  Ask("MapStore.Put", "key: 'sesame-key' fields { key: 'sesame-name' value: 'sesame' }");
  Ask("IntStore.Get", "key: 'sesame-key'");
  CHECK_FALSE(Raw("StringStore.Put", InvalidUtf8<v1::StringStorePutRequest>("key: 'sesame-key' value: 'XX'")).ok());
  CheckSameAfterRestart();
  CHECK(log_.Count("sesame") == 0);
}

}  // namespace
}  // namespace kvs
