#include "clients/cpp/stores.h"

#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "common/latch.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"

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

}  // namespace
}  // namespace kvs::client
