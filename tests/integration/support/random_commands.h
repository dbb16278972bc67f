// Random commands for tests that compare what comes of them.
#pragma once

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/support/sample_requests.h"

namespace kvs {

// Commands as no client would choose them: small keys that meet again, and texts and numbers at the edges.
class RandomCommands {
 public:
  explicit RandomCommands(uint64_t seed) : random_(seed) {}

  // Method and request, as ApiClient takes them.
  std::pair<std::string, std::string> Next() {
    const std::string key = Field("key", Pick({"k", "l", "m", "n", AnyText(), AnyText()}));
    switch (random_() % 17) {
      case 0:
        return {"IntStore.Put", key + "value: " + AnyInt()};
      case 1:
        return {"IntStore.Increment", key + "delta: " + AnyInt()};
      case 2:
        return {"UintStore.Put", key + "value: " + AnyUint()};
      case 3:
        return {"UintStore.Increment", key + Pick({"delta: ", "decrement: "}) + AnyUint()};
      case 4:
        return {"FloatStore.Put", key + "value: " + AnyFloat()};
      case 5:
        return {"FloatStore.Increment", key + "delta: " + AnyFloat()};
      case 6:
        return {"StringStore.Put", key + Field("value", AnyText())};
      case 7:
        return {"StringStore.Append", key + Field("value", AnyText())};
      case 8:
        return {Pick({"SetStore.Put", "SetStore.Add"}), key + Many("members")};
      case 9:
        return {"SetStore.Remove", key + Many("members")};
      case 10:
        return {Pick({"MapStore.Put", "MapStore.PutFields"}), key + ManyFields()};
      case 11:
        return {"MapStore.RemoveFields", key + Many("names")};
      case 12:
        return {Pick({"IntStore", "UintStore", "FloatStore", "StringStore", "SetStore", "MapStore"}) + ".Delete", key};
      case 13:
        return NextMulti("IntStore", [this] { return AnyInt(); });
      case 14:
        return NextMulti("FloatStore", [this] { return AnyFloat(); });
      case 15:
        return NextMulti("StringStore", [this] { return absl::StrCat("'", absl::CEscape(AnyText()), "'"); });
      default:
        return {"Keys.Delete",
                key + Pick({"", "types: VALUE_TYPE_SET types: VALUE_TYPE_MAP", "types: VALUE_TYPE_INT"})};
    }
  }

  // The same as operations of one batch, half of them atomic.
  std::pair<std::string, std::string> NextBatch() {
    std::string request = random_() % 2 ? "atomic: true " : "";
    for (size_t count = random_() % 8; count > 0; --count) {
      const auto [method, operation] = Next();
      absl::StrAppend(&request, OperationText(method, operation));
    }
    return {"Batch.Execute", request};
  }

 private:
  // One on several keys, some of which may be the same.
  template <class AnyValue>
  std::pair<std::string, std::string> NextMulti(const std::string& store, AnyValue any_value) {
    const std::string verb = Pick({"MultiGet", "MultiPut", store == "StringStore" ? "MultiPut" : "MultiIncrement"});
    std::string request;
    for (size_t count = random_() % 6; count > 0; --count) {
      request += Field("keys", Pick({"k", "l", "m", "n", AnyText()}));
      if (verb != "MultiGet") absl::StrAppend(&request, verb == "MultiPut" ? "values: " : "deltas: ", any_value(), " ");
    }
    return {store + "." + verb, request};
  }

  std::string Pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }

  std::string AnyText() {
    std::string longest;
    // Hardly compressible, and 4 bytes each.
    while (longest.size() < 1024)
      longest += {'\xF0', '\x9F', char('\x80' + random_() % 64), char('\x80' + random_() % 64)};
    return Pick({"",          "a",
                 "b",         "'",
                 "\"",        "\\",
                 "\\\\N",     ",",
                 "{}",        "{NULL}",
                 "NULL",      " ",
                 "\t\r\n",    "\x01",
                 "\x7F",      "%",
                 "_",         "$1",
                 "ÄÖ",        "\xF0\x9F\x98\x80",
                 "e\xCC\x81", "\xEF\xBF\xBF",
                 longest,     std::string(1024, '\'')});
  }
  static std::string Field(const std::string& name, const std::string& text) {
    return absl::StrCat(name, ": '", absl::CEscape(text), "' ");
  }
  std::string Many(const std::string& name) {
    std::string all;
    for (size_t count = random_() % 4; count > 0; --count) all += Field(name, AnyText());
    return all;
  }
  std::string ManyFields() {
    std::string all;
    for (size_t count = random_() % 4; count > 0; --count) {
      absl::StrAppend(&all, "fields { ", Field("key", AnyText()), Field("value", AnyText()), "} ");
    }
    return all;
  }
  std::string AnyInt() {
    return Pick(
        {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", absl::StrCat(static_cast<int32_t>(random_()))});
  }
  std::string AnyUint() {
    return Pick({"0", "1", "9999", "10000", "18446744073709551615", absl::StrCat(static_cast<uint32_t>(random_()))});
  }
  std::string AnyFloat() {
    return Pick(
        {"0", "-0.0", "0.1", "-1e-7", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308", "inf", "nan"});
  }

  std::mt19937 random_;
};

}  // namespace kvs
