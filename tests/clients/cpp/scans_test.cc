#include <absl/strings/str_cat.h>

#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "tests/clients/support/pair_client.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"

namespace kvs::client {
namespace {

TEST_CASE("a scan tells whole values, however many parts they come in, and their revision") {
  Pair pair;
  const Client client = ClientOf(pair.Start());
  std::vector<std::string> members;
  Fields fields;
  for (int part = 0; part < 40; ++part) {
    std::vector<std::string> some_members;
    Fields some_fields;
    for (int i = 0; i < 1000; ++i) {
      members.push_back(absl::StrCat("member ", 100000 + part * 1000 + i));
      some_members.push_back(members.back());
      some_fields[members.back()] = "text";
    }
    fields.insert(some_fields.begin(), some_fields.end());
    REQUIRE(client.sets().Add("large", some_members).ok());
    REQUIRE(client.maps().PutFields("large", some_fields).ok());
  }
  REQUIRE(client.sets().Put("small", {}).ok());
  REQUIRE(client.ints().Put("int", 7).ok());

  std::vector<v1::ScanEntry> entries;
  const auto keep = [&](const v1::ScanEntry& entry) {
    entries.push_back(entry);
    return true;
  };
  const auto revision = client.keys().Scan({}, keep);
  INFO(revision.status());
  REQUIRE(revision.ok());
  CHECK(*revision == 82);
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].value().int_value() == 7);
  const auto& set = entries[1].value().set_value().members();
  CHECK((std::vector<std::string>(set.begin(), set.end()) == members));
  CHECK(entries[1].revision() == 79);
  CHECK(entries[2].value().has_set_value());
  const auto& map = entries[3].value().map_value().fields();
  CHECK((Fields(map.begin(), map.end()) == fields));
  for (const v1::ScanEntry& entry : entries) CHECK_FALSE(entry.has_more());

  int parts = 0;
  const auto count = [&](const v1::KeysScanResponse& part) {
    CHECK(part.has_revision() == (parts == 0));
    return ++parts < 3;
  };
  CHECK(client.keys().ScanParts({}, count).ok());
  CHECK(parts == 3);
}

TEST_CASE("a scan ends when its visitor has seen enough, and tells what is wrong with its request") {
  Pair pair;
  const Client client = ClientOf(pair.Start());
  for (const char* key : {"a", "b", "c"}) REQUIRE(client.ints().Put(key, 1).ok());
  int seen = 0;
  CHECK(client.keys().Scan({}, [&](const v1::ScanEntry&) { return ++seen < 2; }).ok());
  CHECK(seen == 2);
  v1::KeysScanRequest request;
  request.set_start_after("a");
  request.set_limit(1);
  std::string key;
  CHECK(*client.keys().Scan(request, [&](const v1::ScanEntry& entry) {
    key = entry.key();
    return true;
  }) == 3);
  CHECK(key == "b");
  request.set_limit(0);
  CHECK(Is(client.keys().Scan(request, [](const v1::ScanEntry&) { return true; }).status(), errors::kInvalidLimit));
}

TEST_CASE("a list that gets no place, or loses it before anything was visited, is tried again") {
  for (const ErrorKind& kind : {errors::kTooManyScans, errors::kScanOvertaken, errors::kScanStalled}) {
    INFO(kind.reason);
    ScriptedServer server;
    server.FailNext({Error(kind, "busy"), Error(kind, "busy")});
    server.SetList(2, absl::OkStatus());
    Options options;
    options.address = server.address();
    options.plaintext = true;
    const auto client = Client::Connect(options);
    int parts = 0;
    const auto visit = [&parts](const v1::KeysListResponse&) { return ++parts > 0; };
    CHECK(client->keys().List("", {}, visit).ok());
    CHECK(parts == 2);
    CHECK(server.calls() == 3);
    server.SetList(1, Error(kind, "in the middle"));
    CHECK(Is(client->keys().List("", {}, visit), kind));
    CHECK(server.calls() == 4);
  }
}

}  // namespace
}  // namespace kvs::client
