// export and import together: what one writes the other reads.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>
#include <absl/time/clock.h>

#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/support/api_client.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

using Lines = std::vector<std::string>;

std::string Export(const PairCli& kvs, Lines flags = {}) {
  flags.insert(flags.begin(), "export");
  const CommandResult result = kvs.Run(flags);
  INFO(result.err);
  CHECK(result.status == 0);
  return result.out;
}

// The lines of keys, without what tells of this server.
std::string WithoutRevisions(const std::string& text) {
  std::string keys;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const size_t revision = line.find(",\"revision\":");
    if (revision != absl::string_view::npos) absl::StrAppend(&keys, line.substr(0, revision), "\n");
  }
  return keys;
}

std::string Entry(const std::string& type, const std::string& key, const std::string& value) {
  return absl::StrCat(R"({"type":"VALUE_TYPE_)", type, R"(","key":")", key, R"(","value":{)", value, "}}\n");
}

TEST_CASE("export writes a line for each key between two of its own") {
  PairCli kvs;
  CHECK(Export(kvs) == "{\"export\":{\"revision\":\"0\"}}\n{\"end\":{\"keys\":\"0\"}}\n");
  kvs.Out({"put", "string", "b", "text"});
  kvs.Out({"put", "int", "b", "-1"});
  kvs.Out({"put", "int", "a", "1"});
  const CommandResult result = kvs.Run({"export"});
  CHECK(result.out == R"({"export":{"revision":"3"}}
{"type":"VALUE_TYPE_INT","key":"a","value":{"intValue":"1"},"revision":"3"}
{"type":"VALUE_TYPE_INT","key":"b","value":{"intValue":"-1"},"revision":"2"}
{"type":"VALUE_TYPE_STRING","key":"b","value":{"stringValue":"text"},"revision":"1"}
{"end":{"keys":"3"}}
)");
  CHECK(result.err == "kvs: exported 3 keys, as they were at revision 3\n");
  CHECK_THAT(kvs.Run({"export", "--type", "string"}).err, ContainsText("exported 1 key, as"));
  CHECK_THAT(Export(kvs, {"--prefix", "b", "--type", "int"}), ContainsText("{\"end\":{\"keys\":\"1\"}}\n"));
  CHECK(kvs.Run({"export", "--output", "json"}).err.empty());
  CHECK_THAT(kvs.Err(2, {"export", "--type", "text"}), ContainsText("there is no type"));
}

TEST_CASE("what was exported is the same in another server") {
  PairCli from;
  const std::string large(kMiB, 'x');
  std::string input = Entry("INT", "least", R"("intValue":"-9223372036854775808")") +
                      Entry("INT", "most", R"("intValue":"9223372036854775807")") +
                      Entry("UINT", "most", R"("uintValue":"18446744073709551615")") +
                      Entry("FLOAT", "most", R"("floatValue":1.7976931348623157e308)") +
                      Entry("FLOAT", "least", R"("floatValue":5e-324)") +
                      Entry("FLOAT", "minus zero", R"("floatValue":-0.0)") +
                      Entry("FLOAT", "tenth", R"("floatValue":0.1)") + Entry("STRING", "empty", R"("stringValue":"")") +
                      Entry("STRING", "large", absl::StrCat(R"("stringValue":")", large, "\"")) +
                      Entry("STRING", R"(\u0001\t\n\"\\ \ud83d\ude00 \u2028)",
                            R"("stringValue":"\u0001\t\r\n\"\\ \ud83d\ude00 \u007f")") +
                      Entry("SET", "empty", R"("setValue":{})") +
                      Entry("SET", "some", R"("setValue":{"members":["a\n","\ud83d\ude00"]})") +
                      Entry("MAP", "empty", R"("mapValue":{})") +
                      Entry("MAP", "some", R"("mapValue":{"fields":{"a=":"","\ud83d\ude00":"\u0001"}})");
  from.cli().SetInput(input);
  CHECK(from.Out({"import"}) == "imported 14 keys\n");
  // Far more than comes in one part.
  for (int i = 0; i < 40; ++i) {
    Lines add = {"set", "add", "large"};
    Lines put = {"map", "put", "large"};
    for (int j = 0; j < 500; ++j) {
      add.push_back(absl::StrCat("member ", i, " ", j, std::string(40, 'x')));
      put.push_back(absl::StrCat("name ", i, " ", j, "=", std::string(30, 'y')));
    }
    from.Out(add);
    from.Out(put);
  }
  from.Out({"put", "string", "for a time", "x", "--ttl", "1h"});
  const std::string exported = Export(from);
  CHECK_THAT(exported, ContainsText("\"more\":true"));

  PairCli to;
  to.Out({"put", "int", "other", "1"});
  to.cli().SetInput(exported);
  CHECK(to.Out({"import"}) == "imported 17 keys\n");
  to.Out({"del", "int", "other"});
  const std::string again = Export(to);
  const auto without_expiry = [](const std::string& text) {
    std::string all;
    for (const absl::string_view line : absl::StrSplit(WithoutRevisions(text), '\n', absl::SkipEmpty())) {
      absl::StrAppend(&all, line.substr(0, line.find(",\"expiresAt\":")), "\n");
    }
    return all;
  };
  CHECK((without_expiry(again) == without_expiry(exported)));
  CHECK_THAT(to.Out({"ttl", "string", "for a time"}), ContainsText("59m"));
  for (const char* type : {"set", "map"}) {
    CHECK((to.Out({type, "list", "large"}) == from.Out({type, "list", "large"})));
  }
}

TEST_CASE("keys whose time is over are left out") {
  PairCli kvs;
  const std::string past = R"("expiresAt":"2020-01-01T00:00:00Z")";
  kvs.cli().SetInput(
      absl::StrCat(R"({"type":"VALUE_TYPE_INT","key":"a","value":{"intValue":"1"},)", past, "}\n",
                   R"({"type":"VALUE_TYPE_SET","key":"b","value":{"setValue":{"members":["x"]}},"more":true,)", past,
                   "}\n", R"({"type":"VALUE_TYPE_SET","key":"b","value":{"setValue":{"members":["y"]}},)", past, "}\n",
                   Entry("INT", "c", R"("intValue":"1")")));
  CHECK(kvs.Out({"import"}) == "imported 1 key, left out 2 that have expired\n");
  CHECK(kvs.Out({"import", "--output", "json"}) == "{\"imported\":\"1\",\"expired\":\"2\",\"present\":\"0\"}\n");
  CHECK(kvs.Out({"keys"}) == "int c\n");
}

TEST_CASE("with --if-absent keys that are there stay as they are, all of them") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.Out({"put", "set", "s", "old"});
  const std::string parts = R"({"type":"VALUE_TYPE_SET","key":"s","value":{"setValue":{"members":["x"]}},"more":true}
{"type":"VALUE_TYPE_SET","key":"s","value":{"setValue":{"members":["y"]}}}
)";
  kvs.cli().SetInput(Entry("INT", "a", R"("intValue":"2")") + parts + absl::StrReplaceAll(parts, {{"\"s\"", "\"t\""}}) +
                     Entry("INT", "b", R"("intValue":"2")"));
  CHECK(kvs.Out({"import", "--if-absent"}) == "imported 2 keys, left out 2 that are there\n");
  CHECK(kvs.Out({"get", "int", "a"}) == "1\n");
  CHECK(kvs.Out({"get", "set", "s"}) == "old\n");
  CHECK(kvs.Out({"get", "set", "t"}) == "x\ny\n");
  CHECK(kvs.Out({"import"}) == "imported 4 keys\n");
  CHECK(kvs.Out({"get", "set", "s"}) == "x\ny\n");
}

TEST_CASE("many keys are imported in parts") {
  PairCli kvs;
  std::string input;
  for (int i = 0; i < 2500; ++i) input += Entry("INT", absl::StrCat("k", i), absl::StrCat(R"("intValue":")", i, "\""));
  kvs.cli().SetInput(input);
  CHECK(kvs.Out({"import"}) == "imported 2500 keys\n");
  CHECK(kvs.Out({"count"}) == "2500\n");
}

TEST_CASE("a bad line is named") {
  PairCli kvs;
  const std::string good = Entry("INT", "a", R"("intValue":"1")");
  const std::string open = R"({"type":"VALUE_TYPE_SET","key":"s","value":{"setValue":{"members":["x"]}},"more":true})"
                           "\n";
  const struct {
    std::string line;
    int status;
    std::string error;
  } kCases[] = {
      {"{", 2, "line 3 is no key as JSON"},
      {"[]", 2, "line 3 is no key as JSON"},
      {R"({"type":"VALUE_TYPE_INT","key":"a"})", 2, "line 3 has no value"},
      {Entry("INT", "a", R"("uintValue":"1")"), 2, "line 3 has a value that is not of its type"},
      {Entry("INT", "a", R"("intValue":"9223372036854775808")"), 2, "line 3 is no key as JSON"},
      {Entry("INT", "", R"("intValue":"1")"), 1, "line 3: the key is empty"},
      {open + good, 2, "line 4 is about another key, but more of \"s\" should follow"},
      {open, 2, "the input ends after line 3 before the export does"},
      {R"({"end":{"keys":"7"}})", 2, "line 3 says that there are 7 keys, but 1 came: lines are missing"},
      {R"({"end":{}})", 2, "line 3 is no end of an export"},
      {"{\"end\":{\"keys\":\"1\"}}\n" + good, 2, "line 4 is behind the end of the export"},
  };
  for (const auto& test : kCases) {
    INFO(test.line);
    kvs.cli().SetInput(good + "\n" + test.line);
    CHECK_THAT(kvs.Err(test.status, {"import"}), ContainsText(test.error));
  }
  kvs.cli().SetInput("{\"export\":{\"revision\":\"1\"}}\n" + good);
  CHECK_THAT(kvs.Err(2, {"import"}), ContainsText("before the export does; 1 key was imported before that"));
}

}  // namespace
}  // namespace kvs::cli
