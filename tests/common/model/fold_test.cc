#include "common/model/fold.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

namespace kvs {
namespace {

constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr uint64_t kMaxUint = std::numeric_limits<uint64_t>::max();

SetValue SetOf(const Texts& members) {
  SetValue set;
  for (const absl::string_view member : members) set.Insert(member);
  return set;
}

MapValue MapOf(const Fields& fields) {
  MapValue map;
  for (const auto& [name, value] : fields) map.Put(name, value);
  return map;
}

// What a value of type T is after the operation; the test fails if the operation does.
template <class T>
T After(T value, const Operation& operation) {
  const absl::Status status = Fold(value, operation);
  INFO(status.ToString());
  REQUIRE(status.ok());
  return value;
}

template <class T>
void CheckDataLoss(T value, const Operation& operation) {
  CHECK(Fold(value, operation).code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("Put replaces the value of its type") {
  CHECK(After<int64_t>(7, operation::Put{int64_t{kMinInt}}) == kMinInt);
  CHECK(After<uint64_t>(7, operation::Put{uint64_t{kMaxUint}}) == kMaxUint);
  CHECK(std::signbit(After<double>(7, operation::Put{-0.0})));
  CHECK(After<StringValue>("before", operation::Put{absl::string_view("a\0b", 3)}) == std::string("a\0b", 3));
  CHECK(After<StringValue>("before", operation::Put{absl::string_view()}).empty());
  CHECK(After(SetOf({"before"}), operation::Put{Texts{"a", "b"}}) == SetOf({"a", "b"}));
  CHECK(After(SetOf({"before"}), operation::Put{Texts{}}) == SetValue());
  CHECK(After(MapOf({{"before", "x"}}), operation::Put{Fields{{"a", "1"}}}) == MapOf({{"a", "1"}}));
  CHECK(After(MapOf({{"before", "x"}}), operation::Put{Fields{}}) == MapValue());
  CHECK(After(SetOf({"before"}), operation::Put{Texts{"a", "bc"}}).bytes() == 3);
  CHECK(After(MapOf({{"before", "x"}}), operation::Put{Fields{{"a", "12"}}}).bytes() == 3);
}

TEST_CASE("increments are replayed as their results") {
  CHECK(After<int64_t>(0, operation::IntIncrement{kMaxInt, kMaxInt}) == kMaxInt);
  CHECK(After<int64_t>(5, operation::IntIncrement{-7, -2}) == -2);
  CHECK(After<uint64_t>(0, operation::UintIncrement{kMaxUint, false, kMaxUint}) == kMaxUint);
  CHECK(After<uint64_t>(9, operation::UintIncrement{9, true, 0}) == 0);
  // Nothing is added again: another rounding would give another state.
  CHECK(After<double>(0.1, operation::FloatIncrement{0.2, 0.5}) == 0.5);
}

TEST_CASE("Append adds at the end") {
  CHECK(After<StringValue>("", operation::Append{"a"}) == "a");
  CHECK(After<StringValue>("a", operation::Append{absl::string_view("\0b", 2)}) == std::string("a\0b", 3));
  CHECK(After<StringValue>("a", operation::Append{""}) == "a");
}

TEST_CASE("members are added and removed") {
  CHECK(After(SetValue(), operation::AddMembers{{"a", "b"}}) == SetOf({"a", "b"}));
  CHECK(After(SetOf({"b"}), operation::AddMembers{{"a", "c"}}) == SetOf({"a", "b", "c"}));
  CHECK(After(SetOf({"a", "b", "c"}), operation::RemoveMembers{{"a", "c"}}) == SetOf({"b"}));
  CHECK(After(SetOf({"a"}), operation::RemoveMembers{{"a"}}) == SetValue());
}

TEST_CASE("fields are put and removed") {
  CHECK(After(MapOf({{"a", "1"}, {"b", "2"}}), operation::PutFields{{{"b", "3"}, {"c", ""}}}) ==
        MapOf({{"a", "1"}, {"b", "3"}, {"c", ""}}));
  CHECK(After(MapOf({{"a", "1"}, {"b", "2"}}), operation::RemoveFields{{"a"}}) == MapOf({{"b", "2"}}));
}

TEST_CASE("an effect that the value cannot have had is DATA_LOSS") {
  CheckDataLoss(SetOf({"a"}), operation::AddMembers{{"a"}});
  CheckDataLoss(SetOf({"b"}), operation::AddMembers{{"a", "b"}});
  CheckDataLoss(SetOf({"a"}), operation::RemoveMembers{{"b"}});
  CheckDataLoss(SetOf({"a"}), operation::RemoveMembers{{"a", "b"}});
  CheckDataLoss(SetValue(), operation::RemoveMembers{{""}});
  CheckDataLoss(MapOf({{"a", ""}}), operation::RemoveFields{{"b"}});
  CheckDataLoss(MapOf({{"a", ""}}), operation::RemoveFields{{"a", "b"}});
}

TEST_CASE("a new expiry leaves the value, and tells that of a number") {
  CHECK(After<int64_t>(-7, operation::SetExpiry{int64_t{-7}}) == -7);
  CHECK(After<uint64_t>(7, operation::SetExpiry{uint64_t{7}}) == 7);
  CHECK(std::signbit(After<double>(-0.0, operation::SetExpiry{-0.0})));
  CHECK(After<StringValue>("text", operation::SetExpiry{}) == "text");
  CHECK(After(SetOf({"a"}), operation::SetExpiry{}) == SetOf({"a"}));
  CHECK(After(MapOf({{"a", "1"}}), operation::SetExpiry{}) == MapOf({{"a", "1"}}));
  CheckDataLoss<int64_t>(7, operation::SetExpiry{int64_t{8}});
  CheckDataLoss<double>(0.0, operation::SetExpiry{-0.0});
  CheckDataLoss<int64_t>(7, operation::SetExpiry{uint64_t{7}});
  CheckDataLoss<int64_t>(7, operation::SetExpiry{});
  CheckDataLoss<StringValue>("7", operation::SetExpiry{int64_t{7}});
}

TEST_CASE("a delete and a new expiry are of keys that are there") {
  CHECK(NeedsKey(operation::Delete{}));
  CHECK(NeedsKey(operation::SetExpiry{}));
  CHECK_FALSE(NeedsKey(operation::Put{int64_t{1}}));
  CHECK_FALSE(NeedsKey(operation::IntIncrement{1, 1}));
}

// One of every operation but Delete and SetExpiry, with the only type that it belongs to. Adding an alternative to
// Operation or ValueView without adding it here fails to compile.
struct Sample {
  ValueType type;
  Operation operation;
};

ValueType TypeOfOperand(const ValueView& value) { return static_cast<ValueType>(value.index()); }

std::vector<Sample> Samples() {
  std::vector<Sample> samples;
  const ValueView values[] = {int64_t{1}, uint64_t{1}, 1.0, absl::string_view("a"), Texts{"a"}, Fields{{"a", "1"}}};
  static_assert(std::size(values) == std::variant_size_v<ValueView>);
  for (const ValueView& value : values) samples.push_back({TypeOfOperand(value), operation::Put{value}});
  samples.push_back({ValueType::kInt, operation::IntIncrement{1, 1}});
  samples.push_back({ValueType::kUint, operation::UintIncrement{1, false, 1}});
  samples.push_back({ValueType::kFloat, operation::FloatIncrement{1, 1}});
  samples.push_back({ValueType::kString, operation::Append{"a"}});
  samples.push_back({ValueType::kSet, operation::AddMembers{{"a"}}});
  samples.push_back({ValueType::kSet, operation::RemoveMembers{{"present"}}});
  samples.push_back({ValueType::kMap, operation::PutFields{{{"a", "1"}}}});
  samples.push_back({ValueType::kMap, operation::RemoveFields{{"present"}}});
  static_assert(std::variant_size_v<Operation> == 3 + 8, "Put, Delete, SetExpiry and those above");
  return samples;
}

Value Existing(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return int64_t{0};
    case ValueType::kUint:
      return uint64_t{0};
    case ValueType::kFloat:
      return 0.0;
    case ValueType::kString:
      return std::string();
    case ValueType::kSet:
      return SetOf({"present"});
    case ValueType::kMap:
      return MapOf({{"present", ""}});
  }
  return {};
}

TEST_CASE("an operation belongs to one type, and is DATA_LOSS for every other one") {
  for (const Sample& sample : Samples()) {
    for (const ValueType type : kValueTypes) {
      INFO("operation " << sample.operation.index() << " of " << TypeName(sample.type) << " on " << TypeName(type));
      Value value = Existing(type);
      const absl::Status status =
          std::visit([&](auto& alternative) { return Fold(alternative, sample.operation); }, value);
      CHECK(status.code() == (type == sample.type ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss));
      if (type == sample.type) CHECK_FALSE(value == Existing(type));
    }
  }
}

}  // namespace
}  // namespace kvs
