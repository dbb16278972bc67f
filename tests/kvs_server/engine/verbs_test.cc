#include "kvs_server/engine/verbs.h"

#include <cmath>
#include <limits>
#include <string>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"

namespace kvs::server::verbs {
namespace {

constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr uint64_t kMaxUint = std::numeric_limits<uint64_t>::max();
constexpr double kMaxFloat = std::numeric_limits<double>::max();

constexpr size_t kNoLimit = ~size_t{0};

template <class T>
absl::StatusOr<Incremented<T>> IncrementFrom(T current, T delta) {
  return Increment(&current, delta);
}

template <class Op, class Result>
const Op& OperationOf(const Result& result) {
  REQUIRE(result->operation.has_value());
  REQUIRE(std::holds_alternative<Op>(*result->operation));
  return std::get<Op>(*result->operation);
}

SetValue Set(const Texts& members) {
  SetValue set;
  for (const absl::string_view member : members) set.Insert(member);
  return set;
}

MapValue Map(const Fields& fields) {
  MapValue map;
  for (const auto& [name, value] : fields) map.Put(name, value);
  return map;
}

TEST_CASE("an increment answers the number before and after, and logs both delta and result") {
  const auto result = IncrementFrom<int64_t>(40, -42);
  CHECK(result->previous == 40);
  CHECK(result->value == -2);
  CHECK(OperationOf<operation::IntIncrement>(result).delta == -42);
  CHECK(OperationOf<operation::IntIncrement>(result).result == -2);
}

TEST_CASE("an absent number counts from 0") {
  CHECK(Increment(static_cast<const int64_t*>(nullptr), 5)->value == 5);
  CHECK(Increment(static_cast<const uint64_t*>(nullptr), 5)->value == 5);
  CHECK(Increment(static_cast<const double*>(nullptr), 0.5)->value == 0.5);
  CHECK(Increment(static_cast<const int64_t*>(nullptr), 5)->previous == 0);
}

TEST_CASE("an increment by 0 logs nothing") {
  CHECK_FALSE(IncrementFrom<int64_t>(5, 0)->operation.has_value());
  CHECK_FALSE(IncrementFrom<uint64_t>(5, 0)->operation.has_value());
  CHECK_FALSE(IncrementFrom<double>(5, 0)->operation.has_value());
  CHECK_FALSE(IncrementFrom<double>(5, -0.0)->operation.has_value());
  CHECK(IncrementFrom<int64_t>(5, 0)->value == 5);
}

TEST_CASE("an increment of -0.0 by 0 answers the value that stays") {
  CHECK(std::signbit(IncrementFrom<double>(-0.0, 0)->value));
}

TEST_CASE("an int reaches both ends of its range and not past them") {
  CHECK(IncrementFrom<int64_t>(kMaxInt - 1, 1)->value == kMaxInt);
  CHECK(IncrementFrom<int64_t>(kMinInt + 1, -1)->value == kMinInt);
  CHECK(IncrementFrom<int64_t>(kMinInt, kMaxInt)->value == -1);
  CHECK(Is(IncrementFrom<int64_t>(kMaxInt, 1).status(), errors::kOverflow));
  CHECK(Is(IncrementFrom<int64_t>(kMinInt, -1).status(), errors::kOverflow));
  CHECK(Is(IncrementFrom<int64_t>(-1, kMinInt).status(), errors::kOverflow));
}

TEST_CASE("a uint reaches both ends of its range and not past them") {
  const uint64_t zero = 0, one = 1;
  CHECK(IncrementFrom<uint64_t>(kMaxUint - 1, 1)->value == kMaxUint);
  CHECK(Decrement(&one, 1)->value == 0);
  CHECK(Is(IncrementFrom<uint64_t>(kMaxUint, 1).status(), errors::kOverflow));
  CHECK(Is(IncrementFrom<uint64_t>(1, kMaxUint).status(), errors::kOverflow));
  CHECK(Is(Decrement(&zero, 1).status(), errors::kOverflow));
  CHECK(Is(Decrement(nullptr, 1).status(), errors::kOverflow));
  CHECK(Is(Decrement(&one, kMaxUint).status(), errors::kOverflow));
}

TEST_CASE("a decrement is logged as one") {
  const uint64_t ten = 10;
  const auto result = Decrement(&ten, 3);
  CHECK(result->previous == 10);
  CHECK(result->value == 7);
  CHECK(OperationOf<operation::UintIncrement>(result).delta == 3);
  CHECK(OperationOf<operation::UintIncrement>(result).decrement);
  CHECK(OperationOf<operation::UintIncrement>(result).result == 7);
  CHECK_FALSE(OperationOf<operation::UintIncrement>(IncrementFrom<uint64_t>(1, 1)).decrement);
  CHECK_FALSE(Decrement(&ten, 0)->operation.has_value());
}

TEST_CASE("a float reaches both ends of its range and never infinity") {
  CHECK(IncrementFrom<double>(kMaxFloat, 1)->value == kMaxFloat);
  CHECK(IncrementFrom<double>(kMaxFloat, -kMaxFloat)->value == 0);
  CHECK(Is(IncrementFrom<double>(kMaxFloat, kMaxFloat).status(), errors::kOverflow));
  CHECK(Is(IncrementFrom<double>(-kMaxFloat, -kMaxFloat).status(), errors::kOverflow));
}

TEST_CASE("an overflow says what was added to what") {
  const absl::Status status = IncrementFrom<int64_t>(kMaxInt, 7).status();
  CHECK_THAT(std::string(status.message()), ContainsText("9223372036854775807 + 7"));
}

TEST_CASE("an append answers the size of the whole string") {
  const StringValue current = "caf";
  const auto result = Append(&current, "\xC3\xA9");
  CHECK(result->size_bytes == 5);
  CHECK(std::string(OperationOf<operation::Append>(result).text) == "\xC3\xA9");
  CHECK(Append(nullptr, "a")->size_bytes == 1);
}

TEST_CASE("an append of nothing logs nothing") {
  CHECK_FALSE(Append(nullptr, "")->operation.has_value());
  CHECK(Append(nullptr, "")->size_bytes == 0);
}

TEST_CASE("a string grows to its limit and not past it") {
  const StringValue current = std::string(kMaxValueBytes - 1, 'x');
  CHECK(Append(&current, "x")->size_bytes == kMaxValueBytes);
  const absl::Status status = Append(&current, "xx").status();
  CHECK(Is(status, errors::kResultTooLarge));
  CHECK(MetadataOf(status, "limit") == std::to_string(kMaxValueBytes));
}

TEST_CASE("adding members logs only those that are new") {
  const SetValue set = Set({"b", "d"});
  const auto result = AddMembers(&set, {"a", "b", "c"}, kNoLimit);
  CHECK(result->changed == 2);
  CHECK(result->size == 4);
  CHECK(OperationOf<operation::AddMembers>(result).members == Texts{"a", "c"});
}

TEST_CASE("adding members that are all there logs nothing") {
  const SetValue set = Set({"a", "b"});
  const auto result = AddMembers(&set, {"a", "b"}, kNoLimit);
  CHECK(result->changed == 0);
  CHECK(result->size == 2);
  CHECK_FALSE(result->operation.has_value());
}

TEST_CASE("members can be added to an absent set") {
  const auto result = AddMembers(nullptr, {"a", "b"}, kNoLimit);
  CHECK(result->changed == 2);
  CHECK(result->size == 2);
}

TEST_CASE("a set grows to its limit and not past it") {
  const SetValue set = Set({"1234", "5678"});
  CHECK(AddMembers(&set, {"ab"}, 10).ok());
  const absl::Status status = AddMembers(&set, {"abc"}, 10).status();
  CHECK(Is(status, errors::kCollectionTooLarge));
  CHECK(MetadataOf(status, "limit") == "10");
}

TEST_CASE("a set over a lowered limit takes members that it has already") {
  const SetValue set = Set({"1234", "5678"});
  CHECK(AddMembers(&set, {"1234"}, 4).ok());
}

TEST_CASE("removing members logs only those that were there") {
  const SetValue set = Set({"a", "b", "c"});
  const Resized result = RemoveMembers(&set, {"a", "c", "x"});
  CHECK(result.changed == 2);
  CHECK(result.size == 1);
  CHECK(OperationOf<operation::RemoveMembers>(&result).members == Texts{"a", "c"});
}

TEST_CASE("removing members that are not there logs nothing") {
  const SetValue set = Set({"a"});
  CHECK_FALSE(RemoveMembers(&set, {"x"}).operation.has_value());
  CHECK_FALSE(RemoveMembers(nullptr, {"x"}).operation.has_value());
  CHECK(RemoveMembers(nullptr, {"x"}).size == 0);
}

TEST_CASE("putting fields counts the new ones and logs all of them") {
  const MapValue map = Map({{"a", "1"}, {"b", "2"}});
  const auto result = PutFields(&map, {{"a", "1"}, {"c", "3"}}, kNoLimit);
  CHECK(result->changed == 1);
  CHECK(result->size == 3);
  CHECK(OperationOf<operation::PutFields>(result).fields == Fields{{"a", "1"}, {"c", "3"}});
}

TEST_CASE("putting fields that are there with the same values is a change all the same") {
  const MapValue map = Map({{"a", "1"}});
  const auto result = PutFields(&map, {{"a", "1"}}, kNoLimit);
  CHECK(result->changed == 0);
  CHECK(result->operation.has_value());
}

TEST_CASE("fields can be put into an absent map") { CHECK(PutFields(nullptr, {{"a", "1"}}, kNoLimit)->size == 1); }

TEST_CASE("a map grows to its limit and not past it, names and values counted") {
  const MapValue map = Map({{"aa", "1234"}});
  CHECK(PutFields(&map, {{"bb", "56"}}, 10).ok());
  CHECK(Is(PutFields(&map, {{"bb", "567"}}, 10).status(), errors::kCollectionTooLarge));
  // The value that is replaced does not count.
  CHECK(PutFields(&map, {{"aa", "12345678"}}, 10).ok());
  CHECK(Is(PutFields(&map, {{"aa", "123456789"}}, 10).status(), errors::kCollectionTooLarge));
}

TEST_CASE("a map over a lowered limit may still shrink") {
  const MapValue map = Map({{"aa", "1234"}, {"bb", "5678"}});
  CHECK(PutFields(&map, {{"aa", "1"}}, 5).ok());
  CHECK(PutFields(&map, {{"aa", "4321"}}, 5).ok());
  CHECK(Is(PutFields(&map, {{"aa", "54321"}}, 5).status(), errors::kCollectionTooLarge));
}

TEST_CASE("removing fields logs only those that were there") {
  const MapValue map = Map({{"a", "1"}, {"b", "2"}});
  const Resized result = RemoveFields(&map, {"b", "x"});
  CHECK(result.changed == 1);
  CHECK(result.size == 1);
  CHECK(OperationOf<operation::RemoveFields>(&result).names == Texts{"b"});
  CHECK_FALSE(RemoveFields(&map, {"x"}).operation.has_value());
  CHECK_FALSE(RemoveFields(nullptr, {"x"}).operation.has_value());
}

}  // namespace
}  // namespace kvs::server::verbs
