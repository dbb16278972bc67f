#include "clients/cli/types.h"

#include <limits>

#include "clients/cli/exit_status.h"
#include "common/errors.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("every type has its name, and its place in the protocol") {
  for (const ValueType type : kValueTypes) {
    REQUIRE(ParseType(TypeName(type)).ok());
    CHECK(*ParseType(TypeName(type)) == type);
    CHECK(TypeNameOf(ToProto(type)) == std::string(TypeName(type)));
    CHECK_THAT(std::string(kTypeNames), ContainsText(std::string(TypeName(type))));
  }
  CHECK(TypeNameOf(static_cast<v1::ValueType>(77)) == "77");
}

TEST_CASE("a type that there is not suggests the nearest") {
  const auto type = ParseType("strnig");
  CHECK(Is(type.status(), kUsageError));
  CHECK_THAT(std::string(type.status().message()), ContainsText("did you mean string?"));
}

TEST_CASE("lists of types") {
  const std::vector<std::string> names = {"int,uint", "set", "int"};
  CHECK(*ParseTypes(names) == std::vector<v1::ValueType>{v1::VALUE_TYPE_INT, v1::VALUE_TYPE_UINT, v1::VALUE_TYPE_SET});
  const std::vector<std::string> wrong = {"int,"};
  CHECK_FALSE(ParseTypes(wrong).ok());
}

TEST_CASE("ints reach to both ends of their range and no further") {
  CHECK(*ParseInt("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  CHECK(*ParseInt("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(*ParseInt("+5") == 5);
  CHECK_THAT(std::string(ParseInt("9223372036854775808").status().message()), ContainsText("range of int"));
  for (const char* text : {"", "-", "1.5", "0x10", "1e3", " 1", "1 ", "one", "--1"}) {
    INFO(text);
    CHECK_THAT(std::string(ParseInt(text).status().message()), ContainsText("is not a whole number"));
  }
}

TEST_CASE("uints reach to both ends of their range and no further") {
  CHECK(*ParseUint("0") == 0);
  CHECK(*ParseUint("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  CHECK_THAT(std::string(ParseUint("18446744073709551616").status().message()), ContainsText("range of uint"));
  CHECK_THAT(std::string(ParseUint("-1").status().message()), ContainsText("range of uint"));
}

TEST_CASE("floats are finite") {
  CHECK(*ParseFloat("-3.5e-7") == -3.5e-7);
  for (const char* text : {"nan", "inf", "-inf", "1e999"}) {
    INFO(text);
    CHECK_THAT(std::string(ParseFloat(text).status().message()), ContainsText("is not a finite number"));
  }
  CHECK_FALSE(ParseFloat("").ok());
  CHECK_FALSE(ParseFloat("3,5").ok());
}

TEST_CASE("floats are printed as short as they can be read back") {
  CHECK(FormatFloat(0.1) == "0.1");
  CHECK(FormatFloat(3) == "3");
  CHECK(FormatFloat(-0.0) == "-0");
  for (const double value : {1.0 / 3, 5e-324, std::numeric_limits<double>::max(), -1e21}) {
    CHECK(*ParseFloat(FormatFloat(value)) == value);
  }
}

TEST_CASE("fields end their name at the first equals sign") {
  const std::vector<std::string> words = {"city=Oslo", "formula=a=b", "empty="};
  const auto fields = ParseFields(words);
  REQUIRE(fields.ok());
  CHECK(*fields == std::map<std::string, std::string>{{"city", "Oslo"}, {"formula", "a=b"}, {"empty", ""}});
  const std::vector<std::string> bare = {"city"};
  CHECK_THAT(std::string(ParseFields(bare).status().message()), ContainsText("NAME=VALUE"));
  const std::vector<std::string> twice = {"a=1", "a=2"};
  CHECK_THAT(std::string(ParseFields(twice).status().message()), ContainsText("given twice"));
}

TEST_CASE("escaped fields are read as they are printed") {
  const std::vector<std::string> words = {R"(a\x3db=c=\\d\n\t\x1b)"};
  const auto fields = ParseFields(words, /*escaped=*/true);
  REQUIRE(fields.ok());
  CHECK(*fields == std::map<std::string, std::string>{{"a=b", "c=\\d\n\t\x1b"}});
  for (const std::string word : {R"(a=\)", R"(a=\q)", R"(a=\x1)", R"(a=\xgg)", R"(\x=1)"}) {
    INFO(word);
    const std::vector<std::string> bad = {word};
    CHECK_THAT(std::string(ParseFields(bad, /*escaped=*/true).status().message()), ContainsText("has a backslash"));
    CHECK(ParseFields(bad).ok());
  }
}

TEST_CASE("the type of a value by its look") {
  CHECK(GuessType("41") == ValueType::kInt);
  CHECK(GuessType("18446744073709551615") == ValueType::kUint);
  CHECK(GuessType("4.1") == ValueType::kFloat);
  CHECK(GuessType("hello") == ValueType::kString);
}

}  // namespace
}  // namespace kvs::cli
