#include "common/logging/format.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <limits>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1769853600123);  // 2026-01-31T10:00:00.123Z

// Reads a line with a JSON parser that is not ours.
google::protobuf::Struct ParseJson(const std::string& line) {
  google::protobuf::Struct parsed;
  INFO(line);
  const auto status = google::protobuf::util::JsonStringToMessage(line, &parsed);
  REQUIRE(status.ok());
  return parsed;
}

std::string JsonMessage(absl::string_view message) {
  return ParseJson(FormatJson(kTime, LogLevel::kInfo, message, {})).fields().at("message").string_value();
}

TEST_CASE("an event as text") {
  CHECK(FormatText(kTime, LogLevel::kInfo, "replay finished", {}) == "2026-01-31T10:00:00.123Z INFO  replay finished");
  CHECK(FormatText(kTime, LogLevel::kError, "cannot listen",
                   {{"address", "localhost:5050"}, {"attempt", 3}, {"ready", false}}) ==
        "2026-01-31T10:00:00.123Z ERROR cannot listen  address=localhost:5050 attempt=3 ready=false");
}

TEST_CASE("text fields are quoted where their end would be unclear") {
  const auto fields = [](absl::string_view value) {
    return FormatText(kTime, LogLevel::kInfo, "m", {{"f", value}})
        .substr(std::string("2026-01-31T10:00:00.123Z INFO  m  ").size());
  };
  CHECK(fields("plain") == "f=plain");
  CHECK(fields("two words") == "f=\"two words\"");
  CHECK(fields("") == "f=\"\"");
  CHECK(fields("a=b") == "f=\"a=b\"");
  CHECK(fields("say \"hi\"") == "f=\"say \\\"hi\\\"\"");
}

TEST_CASE("text stays one line and holds no control characters") {
  const std::string line = FormatText(kTime, LogLevel::kInfo, "a\nb\x1B[31m\xC2\x9B \"c\"\\", {{"f", "x\r\ny"}});
  CHECK(line == "2026-01-31T10:00:00.123Z INFO  a\\nb\\u001b[31m\\u009b \"c\"\\  f=\"x\\r\\ny\"");
}

TEST_CASE("an event as JSON") {
  const auto parsed = ParseJson(FormatJson(kTime, LogLevel::kWarn, "slow disk",
                                           {{"revision", uint64_t{12}},
                                            {"delta", -7},
                                            {"seconds", 0.25},
                                            {"ready", true},
                                            {"file", std::string("a \"b\"")},
                                            {"status", absl::InternalError("broken")},
                                            {"waited", absl::Milliseconds(1500)}}));
  const auto& fields = parsed.fields();
  CHECK(fields.at("time").string_value() == "2026-01-31T10:00:00.123Z");
  CHECK(fields.at("level").string_value() == "warn");
  CHECK(fields.at("message").string_value() == "slow disk");
  CHECK(fields.at("revision").number_value() == 12);
  CHECK(fields.at("delta").number_value() == -7);
  CHECK(fields.at("seconds").number_value() == 0.25);
  CHECK(fields.at("ready").bool_value());
  CHECK(fields.at("file").string_value() == "a \"b\"");
  CHECK(fields.at("status").string_value() == "broken");
  CHECK(fields.at("waited").string_value() == "1.5s");
}

TEST_CASE("JSON keeps every digit of 64-bit integers") {
  const std::string line =
      FormatJson(kTime, LogLevel::kInfo, "m",
                 {{"u", std::numeric_limits<uint64_t>::max()}, {"i", std::numeric_limits<int64_t>::min()}});
  CHECK(line.find("\"u\":18446744073709551615,\"i\":-9223372036854775808}") != std::string::npos);
}

TEST_CASE("JSON has strings for numbers that it does not know") {
  const auto parsed = ParseJson(
      FormatJson(kTime, LogLevel::kInfo, "m",
                 {{"n", std::numeric_limits<double>::quiet_NaN()}, {"i", -std::numeric_limits<double>::infinity()}}));
  CHECK(parsed.fields().at("n").string_value() == "nan");
  CHECK(parsed.fields().at("i").string_value() == "-inf");
}

TEST_CASE("JSON strings come back as they were") {
  for (const std::string text : {"", "\"", "\\", "\n\r\t\b\f", "\x01\x1F\x7F", "gr\xC3\xBC\xC3\x9F", "\xF0\x9F\x98\x80",
                                 "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xC2\x85"}) {
    CHECK(JsonMessage(text) == text);
  }
  CHECK(JsonMessage(absl::string_view("a\0b", 3)) == std::string("a\0b", 3));
}

TEST_CASE("bytes that are not UTF-8 become U+FFFD") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(JsonMessage("a\xFFz") == absl::StrCat("a", bad, "z"));
  CHECK(JsonMessage("\xC3") == bad);                         // Cut short.
  CHECK(JsonMessage("\xC0\x80") == absl::StrCat(bad, bad));  // Overlong.
  CHECK(JsonMessage("\xE0\x9F\xBF") == absl::StrCat(bad, bad, bad));
  CHECK(JsonMessage("\xED\xA0\x80") == absl::StrCat(bad, bad, bad));           // A surrogate.
  CHECK(JsonMessage("\xF4\x90\x80\x80") == absl::StrCat(bad, bad, bad, bad));  // Past U+10FFFF.
}

TEST_CASE("JSON is valid for random bytes in every place") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> byte(0, 255);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = static_cast<char>(byte(random));
    ParseJson(FormatJson(kTime, LogLevel::kInfo, text, {{absl::StrCat("x", text), text}}));
  }
}

TEST_CASE("a text as a JSON string") {
  CHECK(JsonString("") == "\"\"");
  CHECK(JsonString("a \"b\"\n\\") == "\"a \\\"b\\\"\\n\\\\\"");
  CHECK(JsonString("\xFF") == "\"\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace kvs
