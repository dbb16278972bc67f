#include "common/model/wire.h"

#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::wire {
namespace {

// What add(to) adds to a Writer, whose size must be what it adds to a Sizer.
template <class Add>
std::string Written(Add add) {
  Sizer sizer;
  add(sizer);
  std::string bytes(sizer.size() + 1, '#');
  Writer writer(bytes.data());
  add(writer);
  CHECK(bytes.back() == '#');
  bytes.pop_back();
  return bytes;
}

// The numbers of the fields that are read, none of which is known.
std::vector<uint32_t> FieldsOf(const std::string& bytes, bool* ok) {
  std::vector<uint32_t> fields;
  Reader reader(bytes);
  reader.ReadAll([&fields](Reader& in) {
    fields.push_back(in.field());
    return false;
  });
  *ok = reader.ok();
  return fields;
}

// From the examples of the specification, and by hand.
TEST_CASE("fields are written as the specification says") {
  CHECK(Written([](auto& to) { to.Varint(1, 150); }) == "\x08\x96\x01");
  CHECK(Written([](auto& to) { to.Bytes(2, "testing"); }) == "\x12\x07testing");
  CHECK(Written([](auto& to) { to.Message(3, [](auto& inner) { inner.Varint(1, 150); }); }) == "\x1a\x03\x08\x96\x01");
  CHECK(Written([](auto& to) { to.Fixed64(1, 0x0102030405060708); }) == "\x09\x08\x07\x06\x05\x04\x03\x02\x01");
  CHECK(Written([](auto& to) { to.Bytes(16, ""); }) == std::string("\x82\x01\x00", 3));
  CHECK(ZigZag(0) == 0);
  CHECK(ZigZag(-1) == 1);
  CHECK(ZigZag(1) == 2);
  CHECK(ZigZag(-2) == 3);
  CHECK(ZigZag(0x7fffffff) == 0xfffffffe);
}

TEST_CASE("what was written is read, at the limits too") {
  constexpr uint64_t kGreatest = std::numeric_limits<uint64_t>::max();
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 62, kGreatest}) {
    const auto number = static_cast<int64_t>(value);
    CHECK(FromZigZag(ZigZag(number)) == number);
    const std::string text(value % 1000, 't');
    const std::string bytes = Written([&](auto& to) {
      to.Varint(1, value);
      to.Message(200, [&](auto& inner) {
        inner.Fixed64(2, value);
        inner.Bytes(3, text);
      });
      to.Varint(4, ZigZag(number));
    });
    Reader reader(bytes);
    REQUIRE(reader.Next());
    CHECK(reader.field() == 1);
    CHECK(reader.Varint() == value);
    REQUIRE(reader.Next());
    CHECK(reader.field() == 200);
    int fields = 0;
    reader.Message([&](Reader& inner) {
      ++fields;
      if (inner.field() == 2) {
        CHECK(inner.Fixed64() == value);
      } else {
        CHECK((inner.Bytes() == text));
      }
      return true;
    });
    CHECK(fields == 2);
    REQUIRE(reader.Next());
    CHECK(reader.SignedVarint() == number);
    CHECK_FALSE(reader.Next());
    CHECK(reader.ok());
  }
}

TEST_CASE("unknown fields of every kind are passed over") {
  bool ok = false;
  CHECK(FieldsOf("\x08\x96\x01"
                 "\x11"
                 "12345678"
                 "\x1a\x02hi"
                 "\x25"
                 "1234",
                 &ok) == std::vector<uint32_t>{1, 2, 3, 4});
  CHECK(ok);
}

TEST_CASE("what is malformed is told, and nothing is read beyond it") {
  bool ok = true;
  for (const std::string& bad :
       {std::string("\x08"), std::string("\x08\x96"),
        std::string("\x11"
                    "1234567"),
        std::string("\x1a\x03hi"),
        std::string("\x25"
                    "123"),
        std::string("\x00\x01", 2), std::string("\x0b"), std::string("\x0c"), std::string("\x0e\x01"),
        std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        std::string("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), std::string("\xff\xff\xff\xff\x7f\x01")}) {
    CHECK(FieldsOf("\x08\x01" + bad + "\x10\x01", &ok).size() <= 2);
    CHECK_FALSE(ok);
  }
  const std::string number = "\x08\x01";
  Reader of_another_kind(number);
  REQUIRE(of_another_kind.Next());
  of_another_kind.Bytes();
  CHECK_FALSE(of_another_kind.ok());
  const std::string within = "\x0a\x01\xff";
  Reader outer(within);
  outer.ReadAll([](Reader& in) {
    in.Message([](Reader&) { return false; });
    return true;
  });
  CHECK_FALSE(outer.ok());
}

TEST_CASE("the first message is taken off, with what encloses it") {
  const std::string bytes = "\x0a\x02hi";
  absl::string_view rest = bytes;
  MessageField first;
  REQUIRE(TakeMessage(&rest, &first));
  CHECK(first.field == 1);
  CHECK((first.message == "hi"));
  CHECK((first.bytes == "\x0a\x02hi"));
  CHECK(rest.empty());
  CHECK_FALSE(TakeMessage(&rest, &first));
  rest = "\x08\x01";
  CHECK_FALSE(TakeMessage(&rest, &first));
  CHECK(rest.size() == 2);
}

}  // namespace
}  // namespace kvs::wire
