#include "kvs_server/api/request_checks.h"

#include <absl/strings/str_cat.h>

#include <limits>
#include <string>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/int_store.pb.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

const std::string kNul("a\0b", 3);

RepeatedText RepeatedTexts(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

FieldMap MapOfFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  FieldMap map;
  for (const auto& [name, value] : fields) map[name] = value;
  return map;
}

absl::StatusOr<std::vector<ValueType>> CheckedTypes(const std::vector<int>& types) {
  return CheckTypes({types.begin(), types.end()});
}

TEST_CASE("a name has 1 to 1,024 bytes") {
  CHECK(CheckKey("k").ok());
  CHECK(CheckKey(std::string(1024, 'k')).ok());
  CHECK(Is(CheckKey(""), errors::kInvalidKey));
  const absl::Status status = CheckKey(std::string(1025, 'k'));
  CHECK(Is(status, errors::kInvalidKey));
  CHECK(MetadataOf(status, "limit") == "1024");
}

TEST_CASE("a name has no NUL") {
  CHECK(Is(CheckKey(kNul), errors::kInvalidKey));
  CHECK(Is(CheckKey(std::string(1, '\0')), errors::kInvalidKey));
}

TEST_CASE("the error of a name says what it is the name of, and not the name") {
  const absl::Status status = CheckName(kNul, "field name");
  CHECK_THAT(std::string(status.message()), ContainsText("the field name"));
  CHECK(status.message().find('b') == absl::string_view::npos);
}

TEST_CASE("text has at most 1 MiB and no NUL") {
  CHECK(CheckText("", "value").ok());
  CHECK(CheckText(std::string(kMaxValueBytes, 'x'), "value").ok());
  CHECK(Is(CheckText(std::string(kMaxValueBytes + 1, 'x'), "value"), errors::kValueTooLarge));
  CHECK(Is(CheckText(kNul, "value"), errors::kInvalidText));
}

TEST_CASE("NaN and infinity are not numbers that can be stored") {
  CHECK(CheckFinite(-0.0, "value").ok());
  CHECK(CheckFinite(std::numeric_limits<double>::denorm_min(), "value").ok());
  CHECK(CheckFinite(std::numeric_limits<double>::lowest(), "value").ok());
  CHECK(Is(CheckFinite(std::numeric_limits<double>::quiet_NaN(), "value"), errors::kNotFinite));
  CHECK(Is(CheckFinite(std::numeric_limits<double>::infinity(), "value"), errors::kNotFinite));
  CHECK(Is(CheckFinite(-std::numeric_limits<double>::infinity(), "value"), errors::kNotFinite));
}

TEST_CASE("a page has 1 to 10,000 entries, 1,000 where nothing is said") {
  CHECK(*CheckPageLimit(false, 0) == 1000);
  CHECK(*CheckPageLimit(true, 1) == 1);
  CHECK(*CheckPageLimit(true, 10000) == 10000);
  CHECK(Is(CheckPageLimit(true, 0).status(), errors::kInvalidLimit));
  CHECK(Is(CheckPageLimit(true, 10001).status(), errors::kInvalidLimit));
}

TEST_CASE("names are sorted by bytes, and repeated ones count once") {
  const RepeatedText request = RepeatedTexts({"b", "\xC3\xA9", "a", "b"});
  CHECK(*CheckNames(request, kMembers, false) == kvs::Texts{"a", "b", "\xC3\xA9"});
}

TEST_CASE("each name is checked") {
  CHECK(Is(CheckNames(RepeatedTexts({"a", ""}), kMembers, false).status(), errors::kInvalidKey));
  CHECK(Is(CheckNames(RepeatedTexts({"a", kNul}), kMembers, false).status(), errors::kInvalidKey));
  CHECK(Is(CheckNames(RepeatedTexts({std::string(1025, 'm')}), kMembers, false).status(), errors::kInvalidKey));
}

TEST_CASE("no names at all are allowed where a whole set is put, and missing elsewhere") {
  CHECK(CheckNames(RepeatedTexts({}), kMembers, true)->empty());
  const absl::Status status = CheckNames(RepeatedTexts({}), kMembers, false).status();
  CHECK(Is(status, errors::kMissingField));
  CHECK(MetadataOf(status, "field") == "members");
}

TEST_CASE("the names of one request have at most 1 MiB together") {
  std::vector<std::string> names;
  for (int i = 0; i < 1024; ++i) names.push_back(absl::StrCat(1000 + i, std::string(1020, 'm')));
  CHECK(CheckNames(RepeatedTexts(names), kMembers, false)->size() == 1024);
  names.push_back("m");
  CHECK(Is(CheckNames(RepeatedTexts(names), kMembers, false).status(), errors::kValueTooLarge));
}

TEST_CASE("the error of missing field names names the field of the request") {
  CHECK(MetadataOf(CheckNames(RepeatedTexts({}), kFieldNames, false).status(), "field") == "names");
}

TEST_CASE("fields are sorted by the bytes of their names") {
  const FieldMap request = MapOfFields({{"b", "1"}, {"\xC3\xA9", "2"}, {"a", "3"}});
  CHECK(*CheckFields(request, false) == kvs::Fields{{"a", "3"}, {"b", "1"}, {"\xC3\xA9", "2"}});
}

TEST_CASE("each field's name and value is checked") {
  CHECK(CheckFields(MapOfFields({{"a", ""}}), false).ok());
  CHECK(Is(CheckFields(MapOfFields({{"", "1"}}), false).status(), errors::kInvalidKey));
  CHECK(Is(CheckFields(MapOfFields({{std::string(1025, 'n'), "1"}}), false).status(), errors::kInvalidKey));
  CHECK(Is(CheckFields(MapOfFields({{"a", kNul}}), false).status(), errors::kInvalidText));
}

TEST_CASE("no fields at all are allowed where a whole map is put, and missing elsewhere") {
  CHECK(CheckFields(MapOfFields({}), true)->empty());
  CHECK(MetadataOf(CheckFields(MapOfFields({}), false).status(), "field") == "fields");
}

TEST_CASE("the fields of one request have at most 1 MiB together, names and values counted") {
  const std::string half(kMaxValueBytes / 2, 'v');
  CHECK(CheckFields(MapOfFields({{"a", half.substr(1)}, {"b", half.substr(1)}}), false).ok());
  CHECK(Is(CheckFields(MapOfFields({{"a", half}, {"b", half.substr(1)}}), false).status(), errors::kValueTooLarge));
}

TEST_CASE("no types mean all, and repeated ones count once") {
  CHECK(CheckedTypes({})->size() == kValueTypeCount);
  CHECK(*CheckedTypes({6, 1, 6}) == std::vector<ValueType>{ValueType::kInt, ValueType::kMap});
}

TEST_CASE("a type that is not known is refused, also beside one that is") {
  for (const int type : {0, 7, -1, 1000}) CHECK(Is(CheckedTypes({1, type}).status(), errors::kUnknownType));
}

TEST_CASE("every type has its number in the API") {
  for (const ValueType type : kValueTypes) CHECK(static_cast<int>(ToProto(type)) == static_cast<int>(type) + 1);
}

TEST_CASE("a request_id has 1 to 128 bytes without NUL") {
  CHECK(CheckRequestId("i").ok());
  CHECK(CheckRequestId(std::string(kMaxRequestIdBytes, 'i')).ok());
  CHECK(kMaxRequestIdBytes == 128);
  for (const std::string& id : {std::string(), std::string(129, 'i'), std::string("a\0b", 3)}) {
    CHECK(Is(CheckRequestId(id), errors::kInvalidRequestId));
    CHECK(MetadataOf(CheckRequestId(id), "limit") == "128");
  }
}

TEST_CASE("a ttl is a duration of 1 microsecond to 36,500 days") {
  const auto micros = [](int64_t seconds, int32_t nanos) {
    google::protobuf::Duration ttl;
    ttl.set_seconds(seconds);
    ttl.set_nanos(nanos);
    const absl::StatusOr<int64_t> checked = CheckTtl(ttl);
    if (!checked.ok()) CHECK(Is(checked.status(), errors::kInvalidTtl));
    return checked.ok() ? *checked : -1;
  };
  constexpr int64_t kMaxSeconds = int64_t{36500} * 24 * 60 * 60;
  CHECK(micros(0, 1000) == 1);
  CHECK(micros(1, 500'000'999) == 1'500'000);
  CHECK(micros(kMaxSeconds, 0) == kMaxSeconds * 1'000'000);
  for (const auto& [seconds, nanos] :
       std::vector<std::pair<int64_t, int32_t>>{{0, 0},
                                                {0, 999},
                                                {-1, 0},
                                                {0, -1000},
                                                {1, -1},
                                                {-1, 1},
                                                {0, 1'000'000'000},
                                                {0, std::numeric_limits<int32_t>::min()},
                                                {kMaxSeconds, 1},
                                                {kMaxSeconds + 1, 0},
                                                {std::numeric_limits<int64_t>::max(), 0},
                                                {std::numeric_limits<int64_t>::min(), 0}}) {
    INFO(seconds << " s " << nanos << " ns");
    CHECK(micros(seconds, nanos) == -1);
  }
}

TEST_CASE("a ttl goes into the options where a request has one") {
  kvs::v1::IntStorePutRequest put;
  CHECK(OptionsOf(put)->ttl_micros == 0);
  put.mutable_ttl()->set_seconds(7);
  CHECK(OptionsOf(put)->ttl_micros == 7'000'000);
  put.mutable_ttl()->set_seconds(-7);
  CHECK(Is(OptionsOf(put).status(), errors::kInvalidTtl));
  CHECK(OptionsOf(kvs::v1::IntStoreDeleteRequest())->ttl_micros == 0);
}

TEST_CASE("a precondition is what the request says, and none where it says nothing") {
  kvs::v1::IntStorePutRequest request;
  CHECK(OptionsOf(request)->precondition.Holds(0));
  CHECK(OptionsOf(request)->precondition.Holds(7));
  request.mutable_precondition()->set_must_not_exist(true);
  CHECK(OptionsOf(request)->precondition.Holds(0));
  CHECK_FALSE(OptionsOf(request)->precondition.Holds(7));
  request.mutable_precondition()->set_must_exist(true);
  CHECK_FALSE(OptionsOf(request)->precondition.Holds(0));
  CHECK(OptionsOf(request)->precondition.Holds(7));
  request.mutable_precondition()->set_revision_equals(7);
  CHECK_FALSE(OptionsOf(request)->precondition.Holds(6));
  CHECK(OptionsOf(request)->precondition.Holds(7));
  request.mutable_precondition()->set_revision_equals(0);
  CHECK(OptionsOf(request)->precondition.Holds(0));
  CHECK_FALSE(OptionsOf(request)->precondition.Holds(7));
}

TEST_CASE("a precondition without a condition, or with one that asks for nothing, is refused") {
  kvs::v1::IntStorePutRequest request;
  request.mutable_precondition();
  CHECK(Is(OptionsOf(request).status(), errors::kInvalidPrecondition));
  request.mutable_precondition()->set_must_exist(false);
  CHECK(Is(OptionsOf(request).status(), errors::kInvalidPrecondition));
  request.mutable_precondition()->set_must_not_exist(false);
  CHECK(Is(OptionsOf(request).status(), errors::kInvalidPrecondition));
}

TEST_CASE("only a revision needs a request about one type") {
  const auto revision = Precondition::RevisionEquals(7);
  CHECK(CheckPreconditionForTypes(revision, 1).ok());
  CHECK(Is(CheckPreconditionForTypes(revision, 2), errors::kInvalidPrecondition));
  for (const Precondition precondition : {Precondition(), Precondition::MustExist(), Precondition::MustNotExist()}) {
    CHECK(CheckPreconditionForTypes(precondition, 6).ok());
  }
}

}  // namespace
}  // namespace kvs::server
