#include "clients/cpp/connection.h"

#include <absl/time/clock.h>
#include <sys/socket.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "tests/clients/support/free_port.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls_fixture.h"

namespace kvs::client {
namespace {

Client MakeClient(const std::string& address, absl::Duration timeout = absl::Seconds(20), bool fail_fast = false) {
  Options options;
  options.address = address;
  options.plaintext = true;
  options.timeout = timeout;
  options.fail_fast = fail_fast;
  auto client = Client::Connect(options);
  REQUIRE(client.ok());
  return *client;
}

// The errors after which nothing was done and that may pass.
const std::vector<ErrorKind> kHarmless = {errors::kNotApplied,        errors::kReplaying,      errors::kDraining,
                                          errors::kPendingWindowFull, errors::kTooManyWaiting, errors::kPendingWrite};

TEST_CASE("a mutation is repeated when the server says that nothing was done") {
  for (const ErrorKind& kind : kHarmless) {
    INFO(kind.reason);
    ScriptedServer server;
    server.FailNext({Error(kind, "not now"), Error(kind, "not now")});
    const auto response = MakeClient(server.address()).ints().Put("a", 1);
    CHECK(response.ok());
    CHECK(server.calls() == 3);
  }
}

// The errors of a mutation that may have happened.
std::vector<absl::Status> Unknown() {
  return {absl::UnavailableError("gone"), absl::InternalError("?"), absl::UnknownError("?"), absl::CancelledError("?"),
          Error(errors::kOutcomeUnknown, "no answer from the ledger")};
}

TEST_CASE("a mutation that may have happened is repeated under the same request_id") {
  std::set<std::string> ids;
  for (const absl::Status& error : Unknown()) {
    INFO(error);
    ScriptedServer server;
    server.FailNext({error, error});
    const Client client = MakeClient(server.address());
    CHECK(client.ints().Put("a", 1).ok());
    CHECK(client.ints().Put("a", 1, {.request_id = "mine"}).ok());
    REQUIRE(server.request_ids().size() == 4);
    const std::string id = server.request_ids()[0];
    CHECK_THAT(id, Catch::Matchers::Matches("[0-9a-f]{32}"));
    CHECK(server.request_ids() == std::vector<std::string>{id, id, id, "mine"});
    ids.insert(id);
  }
  CHECK(ids.size() == Unknown().size());
}

TEST_CASE("a mutation without a request_id is not repeated when it may have happened") {
  // What has many keys gets none of its own if it is large.
  const std::vector<std::string> keys(10, std::string(120'000, 'k'));
  const std::vector<int64_t> values(keys.size(), 1);
  for (const absl::Status& error : Unknown()) {
    INFO(error);
    ScriptedServer server;
    server.FailNext({error});
    const auto response = MakeClient(server.address()).ints().MultiPut(keys, values);
    CHECK(response.status().code() == error.code());
    CHECK(response.status().message() == error.message());
    CHECK(ReasonOf(response.status()) == ReasonOf(error));
    CHECK(MayHaveHappened(response.status()));
    CHECK(server.calls() == 1);
  }
}

TEST_CASE("a mutation that may have happened in one attempt never ends as one that did not") {
  ScriptedServer server;
  std::vector<absl::Status> answers(1000, Error(errors::kNotApplied, "the ledger is away"));
  answers[0] = absl::UnavailableError("gone");
  server.FailNext(answers);
  const auto response = MakeClient(server.address(), absl::Seconds(1)).ints().Put("a", 1);
  CHECK(MayHaveHappened(response.status()));
  CHECK(response.status().message() == "gone");
  CHECK(server.calls() > 2);
}

TEST_CASE("a mutation that may have happened does not end as unreachable, where its server is gone since") {
  auto server = std::make_unique<ScriptedServer>();
  server->FailNext({absl::UnavailableError("gone")});
  Options options;
  options.address = server->address();
  options.plaintext = true;
  options.timeout = absl::Seconds(2);
  options.fail_fast = true;
  options.on_retry = [&](const absl::Status&) { server.reset(); };
  CHECK(MayHaveHappened(Client::Connect(options)->ints().Put("a", 1).status()));
}

TEST_CASE("a read is repeated whatever made the server unavailable") {
  ScriptedServer server;
  server.FailNext({absl::UnavailableError("gone"), Error(errors::kPendingWrite, "a write is on its way")});
  const auto response = MakeClient(server.address()).ints().Get("a");
  REQUIRE(response.ok());
  CHECK(response->value() == 42);
  CHECK(server.calls() == 3);
}

TEST_CASE("an answer that no repetition changes is final, with its details") {
  ScriptedServer server;
  server.FailNext({Error(errors::kKeyNotFound, "no int a", {{"type", "int"}})});
  const auto response = MakeClient(server.address()).ints().Get("a");
  CHECK(Is(response.status(), errors::kKeyNotFound));
  CHECK(MetadataOf(response.status(), "type") == "int");
  CHECK_FALSE(MayHaveHappened(response.status()));
  CHECK(server.calls() == 1);
}

TEST_CASE("repetitions end before the timeout, with the last error") {
  ScriptedServer server;
  server.FailNext(std::vector<absl::Status>(1000, Error(errors::kNotApplied, "the ledger is away")));
  const absl::Time start = absl::Now();
  const auto response = MakeClient(server.address(), absl::Seconds(1)).ints().Put("a", 1);
  CHECK(Is(response.status(), errors::kNotApplied));
  CHECK(absl::Now() - start < absl::Seconds(1));
  CHECK(server.calls() > 1);
}

TEST_CASE("retries are told") {
  ScriptedServer server;
  server.FailNext({Error(errors::kReplaying, "half way")});
  std::vector<std::string> told;
  Options options;
  options.address = server.address();
  options.plaintext = true;
  options.on_retry = [&](const absl::Status& status) { told.emplace_back(status.message()); };
  CHECK(Client::Connect(options)->ints().Put("a", 1).ok());
  CHECK(told == std::vector<std::string>{"half way"});
}

TEST_CASE("nothing listens: nothing was sent") {
  const std::string address = "localhost:" + std::to_string(FreePort());
  const auto failed = MakeClient(address, absl::Seconds(20), /*fail_fast=*/true).ints().Put("a", 1);
  CHECK(Is(failed.status(), errors::kUnreachable));
  CHECK_FALSE(MayHaveHappened(failed.status()));
  CHECK_THAT(std::string(failed.status().message()), ContainsText("Connection refused"));
}

TEST_CASE("a call waits for a server that is not up yet, also a mutation") {
  const int port = FreePort();
  std::unique_ptr<ScriptedServer> server;
  Options options;
  options.address = "localhost:" + std::to_string(port);
  options.plaintext = true;
  options.on_retry = [&](const absl::Status& status) {
    CHECK(Is(status, errors::kUnreachable));
    if (server == nullptr) {
      server = std::make_unique<ScriptedServer>(grpc::InsecureServerCredentials(), "127.0.0.1:" + std::to_string(port));
    }
  };
  CHECK(Client::Connect(options)->ints().Put("a", 1).ok());
  REQUIRE(server != nullptr);
  CHECK(server->calls() == 1);
}

TEST_CASE("options that cannot be used are refused at once") {
  const TempDir dir;
  std::ofstream(dir / "text") << "not a certificate\n";
  const auto refused = [](Options options) { return Client::Connect(options).status(); };
  CHECK(Is(refused({.address = "host:port"}), errors::kInvalidAddress));
  CHECK(Is(refused({.ca = dir / "absent"}), errors::kInvalidCredentials));
  CHECK(Is(refused({.ca = dir / "text"}), errors::kInvalidCredentials));
  CHECK(Is(refused({.certificate = dir / "text"}), errors::kInvalidCredentials));
  CHECK(Is(refused({.key = dir / "text"}), errors::kInvalidCredentials));
  CHECK(refused({.ca = dir / "absent", .plaintext = true}).ok());
}

TEST_CASE("certificate files that cannot be used are refused at once and by name") {
  const TempDir dir;
  const TestCa ca;
  const TlsFiles good = ca.Issue(dir, "good", "");
  const TlsFiles other = ca.Issue(dir, "other", "");
  const std::string cut = dir / "cut";
  std::ofstream(cut) << "-----BEGIN CERTIFICATE-----\nfoo";
  const auto refusal = [](const TlsFiles& files) {
    const absl::Status status =
        Client::Connect({.ca = files.ca, .certificate = files.certificate, .key = files.key}).status();
    CHECK(Is(status, errors::kInvalidCredentials));
    return std::string(status.message());
  };
  CHECK(Client::Connect({.ca = good.ca, .certificate = good.certificate, .key = good.key}).ok());
  CHECK(refusal({good.ca, good.certificate, other.key}) ==
        "the key file " + other.key + " does not belong to the certificate file " + good.certificate);
  CHECK_THAT(refusal({.ca = cut}), ContainsText("the ca file " + cut + " holds "));
  CHECK_THAT(refusal({good.ca, cut, good.key}), ContainsText("the certificate file " + cut + " holds "));
  CHECK(refusal({good.ca, good.key, good.key}) ==
        "the certificate file " + good.key + " holds no certificate in PEM form");
  CHECK(refusal({good.ca, good.certificate, good.certificate}) ==
        "the key file " + good.certificate + " holds no private key in PEM form");
}

TEST_CASE("a proxy in the environment is not used") {
  ScriptedServer server;
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "", 1);
  CHECK(MakeClient(server.address()).ints().Get("a").ok());
  unsetenv("http_proxy");
  unsetenv("no_proxy");
}

TEST_CASE("outcomes") {
  CHECK(MayHaveHappened(absl::DeadlineExceededError("")));
  CHECK(MayHaveHappened(absl::ResourceExhaustedError("Received RST_STREAM with error code 11")));
  CHECK_FALSE(MayHaveHappened(absl::ResourceExhaustedError("Received message larger than max (5000009 vs. 4194304)")));
  CHECK_FALSE(MayHaveHappened(absl::OkStatus()));
  CHECK_FALSE(MayHaveHappened(absl::InvalidArgumentError("")));
  for (const ErrorKind& kind : errors::kAll) {
    INFO(kind.reason);
    CHECK(MayHaveHappened(Error(kind, "")) == (kind.reason == errors::kOutcomeUnknown.reason));
  }
}

}  // namespace
}  // namespace kvs::client
