#include "clients/cpp/stores.h"

#include <vector>

#include "clients/cpp/client.h"
#include "clients/cpp/precondition.h"
#include "common/errors.h"
#include "common/latch.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"
#include "tests/support/pair.h"

namespace kvs::client {
namespace {

Keys KeysOf(const ScriptedServer& server, absl::Duration timeout = absl::Seconds(20)) {
  Options options;
  options.address = server.address();
  options.plaintext = true;
  options.timeout = timeout;
  return Client::Connect(options)->keys();
}

// The first keys of a list's parts, and how it ended.
struct Listed {
  std::vector<std::string> keys;
  absl::Status status;
};

Listed List(const Keys& keys, size_t at_most = 1000000) {
  Listed listed;
  listed.status = keys.List("", {}, [&](const v1::KeysListResponse& part) {
    listed.keys.push_back(part.keys(0).key());
    return listed.keys.size() < at_most;
  });
  return listed;
}

TEST_CASE("a list visits every part in order") {
  ScriptedServer server;
  server.SetList(3, absl::OkStatus());
  const Listed listed = List(KeysOf(server));
  CHECK(listed.status.ok());
  CHECK(listed.keys == std::vector<std::string>{"key 0", "key 1", "key 2"});
}

TEST_CASE("an empty list is a success") {
  ScriptedServer server;
  server.SetList(0, absl::OkStatus());
  const Listed listed = List(KeysOf(server));
  CHECK(listed.status.ok());
  CHECK(listed.keys.empty());
}

TEST_CASE("a visitor ends a list of any length") {
  ScriptedServer server;
  server.SetList(1 << 30, absl::OkStatus());
  const Listed listed = List(KeysOf(server), 2);
  CHECK(listed.status.ok());
  CHECK(listed.keys.size() == 2);
}

TEST_CASE("a list that has not begun is repeated") {
  ScriptedServer server;
  server.SetList(1, absl::OkStatus());
  server.FailNext({absl::UnavailableError("gone")});
  const Listed listed = List(KeysOf(server));
  CHECK(listed.status.ok());
  CHECK(listed.keys.size() == 1);
  CHECK(server.calls() == 2);
}

TEST_CASE("a list that breaks off is not begun anew") {
  ScriptedServer server;
  server.SetList(2, Error(errors::kDraining, "the server stops"));
  const Listed listed = List(KeysOf(server));
  CHECK(Is(listed.status, errors::kDraining));
  CHECK(listed.keys.size() == 2);
  CHECK(server.calls() == 1);
}

TEST_CASE("a list that falls silent ends at the timeout") {
  Latch release;
  ScriptedServer server;
  server.SetList(1, absl::OkStatus());
  server.HoldList(&release);
  const Listed listed = List(KeysOf(server, absl::Milliseconds(200)));
  CHECK(absl::IsDeadlineExceeded(listed.status));
  CHECK(listed.keys.size() == 1);
  release.CountDown();
}

TEST_CASE("many keys are stored, read and incremented by one call") {
  Pair pair;
  pair.Start();
  Options options;
  options.address = "127.0.0.1:" + std::to_string(pair.kvs().port());
  options.plaintext = true;
  const Client client = *Client::Connect(options);
  const std::vector<std::string> keys = {"a", "b", ""};
  const auto put = client.ints().MultiPut(keys, std::vector<int64_t>{1, -2, 3});
  REQUIRE(put.ok());
  CHECK(put->revisions(1) == 2);
  REQUIRE(put->errors_size() == 1);
  CHECK(put->errors(0).indexes(0) == 2);
  CHECK(client.ints().MultiIncrement(keys, std::vector<int64_t>{10})->values(1) == 8);
  CHECK(client.ints().MultiGet(keys)->values(0) == 11);
  CHECK(client.uints().MultiPut(keys, std::vector<uint64_t>{5, 6, 7})->revisions(0) == 5);
  CHECK(client.uints().MultiIncrement(keys)->values(0) == 6);
  CHECK(client.uints().MultiDecrement(keys, std::vector<uint64_t>{4})->values(1) == 3);
  CHECK(client.uints().MultiGet(keys)->values(0) == 2);
  CHECK(client.floats().MultiPut(keys, std::vector<double>{0.5, 1.5, 0})->revisions(0) == 11);
  CHECK(client.floats().MultiIncrement(keys)->values(0) == 1.5);
  CHECK(client.floats().MultiGet(keys)->values(1) == 2.5);
  CHECK(client.strings().MultiPut(keys, std::vector<std::string>{"x", "y", "z"})->revisions(0) == 15);
  CHECK(client.strings().MultiGet(keys)->values(1) == "y");
  const auto absent = client.strings().MultiPut(keys, keys, {.precondition = Precondition::Absent()});
  REQUIRE(absent.ok());
  CHECK(absent->errors_size() == 2);
  CHECK(Is(client.ints().MultiPut(keys, {}).status(), errors::kLengthMismatch));
}

}  // namespace
}  // namespace kvs::client
