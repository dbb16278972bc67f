#include "clients/cpp/client.h"

#include <optional>
#include <thread>
#include <vector>

#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"

namespace kvs::client {
namespace {

TEST_CASE("stores outlive the client they came from") {
  ScriptedServer server;
  Options options;
  options.address = server.address();
  options.plaintext = true;
  std::optional<Client> client = *Client::Connect(options);
  const IntStore ints = client->ints();
  client.reset();
  CHECK(ints.Get("a").ok());
}

TEST_CASE("threads share a client") {
  ScriptedServer server;
  Options options;
  options.address = server.address();
  options.plaintext = true;
  const Client client = *Client::Connect(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&client] {
      for (int j = 0; j < 25; ++j) static_cast<void>(client.ints().Get("a"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(server.calls() == 100);
}

}  // namespace
}  // namespace kvs::client
