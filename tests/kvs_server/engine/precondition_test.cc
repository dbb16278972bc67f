#include "kvs_server/engine/precondition.h"

#include <string>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

kvs::v1::PreconditionFailure FailureOf(const absl::Status& status) {
  kvs::v1::PreconditionFailure failure;
  const auto payload = status.GetPayload(kPreconditionFailureTypeUrl);
  REQUIRE(payload.has_value());
  REQUIRE(failure.ParseFromString(std::string(*payload)));
  return failure;
}

// What a value of any type looks like in an error.
template <class T>
std::string Shown(const T& value) {
  return FailureOf(Precondition::MustNotExist().Failure(7, &value)).ShortDebugString();
}

TEST_CASE("each precondition holds where it should") {
  struct Case {
    Precondition precondition;
    bool absent;      // whether it holds at an absent key
    bool revision_7;  // at one of revision 7
    bool revision_8;  // at one of revision 8
  };
  const Case cases[] = {
      {Precondition(), true, true, true},
      {Precondition::MustNotExist(), true, false, false},
      {Precondition::MustExist(), false, true, true},
      {Precondition::RevisionEquals(7), false, true, false},
      {Precondition::RevisionEquals(0), true, false, false},
  };
  for (const Case& c : cases) {
    CHECK(c.precondition.Holds(0) == c.absent);
    CHECK(c.precondition.Holds(7) == c.revision_7);
    CHECK(c.precondition.Holds(8) == c.revision_8);
  }
}

TEST_CASE("only a revision needs one key") {
  CHECK(Precondition::RevisionEquals(7).NeedsOneKey());
  CHECK(Precondition::RevisionEquals(0).NeedsOneKey());
  for (const Precondition precondition : {Precondition(), Precondition::MustExist(), Precondition::MustNotExist()}) {
    CHECK_FALSE(precondition.NeedsOneKey());
  }
}

TEST_CASE("each failure has its kind, and says what is there") {
  const int64_t value = 5;
  const int64_t* const absent = nullptr;
  struct Case {
    absl::Status status;
    ErrorKind kind;
    std::string message;
    std::string revision;
  };
  const Case cases[] = {
      {Precondition::MustNotExist().Failure(7, &value), errors::kKeyExists, "the key exists, at revision 7", "7"},
      {Precondition::MustExist().Failure(0, absent), errors::kKeyNotFound, "the key is absent", "0"},
      {Precondition::RevisionEquals(6).Failure(7, &value), errors::kRevisionMismatch,
       "the key exists, at revision 7, not at revision 6", "7"},
      {Precondition::RevisionEquals(0).Failure(7, &value), errors::kRevisionMismatch,
       "the key exists, at revision 7, not absent", "7"},
      {Precondition::RevisionEquals(6).Failure(0, absent), errors::kRevisionMismatch,
       "the key is absent, not at revision 6", "0"},
  };
  for (const Case& c : cases) {
    INFO(c.status);
    CHECK(Is(c.status, c.kind));
    CHECK(c.status.message() == "nothing was changed: " + c.message);
    CHECK(MetadataOf(c.status, "current_revision") == c.revision);
    CHECK(std::to_string(FailureOf(c.status).current_revision()) == c.revision);
    CHECK(FailureOf(c.status).has_current_value() == (c.revision != "0"));
    CHECK_FALSE(FailureOf(c.status).value_omitted());
  }
}

TEST_CASE("a failure about several keys has a revision and no value") {
  CHECK(FailureOf(Precondition::MustNotExist().Failure(7)).ShortDebugString() == "current_revision: 7");
  CHECK(FailureOf(Precondition::MustExist().Failure(0)).ShortDebugString() == "current_revision: 0");
}

TEST_CASE("values of every type are shown, zero and empty ones too") {
  CHECK(Shown(int64_t{-41}) == "current_revision: 7 current_value { int_value: -41 }");
  CHECK(Shown(uint64_t{0}) == "current_revision: 7 current_value { uint_value: 0 }");
  CHECK(Shown(0.5) == "current_revision: 7 current_value { float_value: 0.5 }");
  CHECK(Shown(std::string()) == "current_revision: 7 current_value { string_value: \"\" }");
  SetValue set;
  CHECK(Shown(set) == "current_revision: 7 current_value { set_value { } }");
  set.Insert("b");
  set.Insert("a");
  CHECK(Shown(set) == "current_revision: 7 current_value { set_value { members: \"a\" members: \"b\" } }");
  MapValue map;
  CHECK(Shown(map) == "current_revision: 7 current_value { map_value { } }");
  map.Put("name", "value");
  CHECK(Shown(map) == "current_revision: 7 current_value { map_value { fields { key: \"name\" value: \"value\" } } }");
}

TEST_CASE("a value is shown as long as it takes 2 KiB") {
  const std::string omitted = "current_revision: 7 value_omitted: true";
  // A tag and a length of two bytes come before the text.
  std::string text(kMaxDetailValueBytes - 3, 'x');
  const auto shown = FailureOf(Precondition::MustNotExist().Failure(7, &text));
  CHECK(shown.current_value().string_value() == text);
  CHECK(shown.current_value().ByteSizeLong() == kMaxDetailValueBytes);
  text += 'x';
  CHECK(Shown(text) == omitted);
  CHECK(Shown(std::string(kMiB, 'x')) == omitted);

  SetValue set;
  set.Insert(std::string(1000, 'a'));
  set.Insert(std::string(1000, 'b'));
  CHECK(Shown(set) != omitted);
  set.Insert(std::string(40, 'c'));  // with its own tags and lengths it is too large only as encoded
  CHECK(Shown(set) == omitted);
  set.Insert(std::string(1000, 'd'));
  CHECK(Shown(set) == omitted);

  MapValue map;
  map.Put("name", std::string(2000, 'x'));
  CHECK(Shown(map) != omitted);
  map.Put("name", std::string(2040, 'x'));
  CHECK(Shown(map) == omitted);
  map.Put("name", std::string(kMiB, 'x'));
  CHECK(Shown(map) == omitted);
}

TEST_CASE("what fails at a change of the same batch has no state to show") {
  const auto check = [](const Precondition& precondition, bool exists, ErrorKind kind) {
    const absl::Status status = precondition.FailureWithin(exists);
    CHECK(Is(status, kind));
    CHECK_FALSE(status.GetPayload(kPreconditionFailureTypeUrl).has_value());
    CHECK(MetadataOf(status, "current_revision").empty());
  };
  check(Precondition::MustNotExist(), true, errors::kKeyExists);
  check(Precondition::MustExist(), false, errors::kKeyNotFound);
  check(Precondition::RevisionEquals(5), false, errors::kRevisionMismatch);
  check(Precondition::RevisionEquals(0), true, errors::kRevisionMismatch);
}

}  // namespace
}  // namespace kvs::server
