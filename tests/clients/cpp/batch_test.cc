#include "clients/cpp/batch.h"

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"
#include "tests/support/pair.h"

namespace kvs::client {
namespace {

Client ClientAt(const std::string& address) {
  Options options;
  options.address = address;
  options.plaintext = true;
  options.timeout = absl::Seconds(20);
  return *Client::Connect(options);
}

v1::BatchExecuteRequest Increments(const std::vector<std::string>& keys, bool atomic) {
  v1::BatchExecuteRequest request;
  request.set_atomic(atomic);
  for (const std::string& key : keys) request.add_operations()->mutable_int_increment()->set_key(key);
  return request;
}

TEST_CASE("a batch is done, and tells which operations failed") {
  Pair pair;
  pair.Start();
  const Client client = ClientAt("127.0.0.1:" + std::to_string(pair.kvs().port()));
  const auto independent = client.batch().Execute(Increments({"a", "", "a"}, false));
  REQUIRE(independent.ok());
  REQUIRE(independent->results_size() == 3);
  CHECK(StatusOf(independent->results(0)).ok());
  CHECK(Is(StatusOf(independent->results(1)), errors::kInvalidKey));
  CHECK(independent->results(2).int_increment().value() == 2);
  const auto atomic = client.batch().Execute(Increments({"a", ""}, true));
  CHECK(Is(atomic.status(), errors::kInvalidKey));
  CHECK(FailedOperation(atomic.status()) == 1);
  CHECK(client.ints().Get("a")->value() == 2);
  CHECK(client.batch().Execute(Increments({"a", "a"}, true))->results(1).int_increment().value() == 4);
}

TEST_CASE("an error that is about no operation names none") {
  CHECK_FALSE(FailedOperation(Error(errors::kDraining, "the server stops")).has_value());
  CHECK_FALSE(FailedOperation(absl::OkStatus()).has_value());
}

TEST_CASE("a batch that only reads is repeated as a read, any other as a mutation") {
  v1::BatchExecuteRequest reads;
  reads.add_operations()->mutable_int_get()->set_key("a");
  reads.add_operations()->mutable_keys_exists()->set_key("a");
  v1::BatchExecuteRequest mixed = reads;
  mixed.add_operations()->mutable_set_remove()->set_key("a");
  {
    ScriptedServer server;
    server.FailNext({absl::UnavailableError("gone")});
    CHECK(ClientAt(server.address()).batch().Execute(reads)->results_size() == 2);
    CHECK(server.calls() == 2);
  }
  {
    ScriptedServer server;
    server.FailNext({absl::UnavailableError("gone")});
    CHECK(absl::IsUnavailable(ClientAt(server.address()).batch().Execute(mixed).status()));
    CHECK(server.calls() == 1);
  }
  ScriptedServer server;
  server.FailNext({Error(errors::kNotApplied, "nothing was changed")});
  CHECK(ClientAt(server.address()).batch().Execute(mixed)->results_size() == 3);
  CHECK(server.calls() == 2);
}

// How an independent batch ends whose operations have ended so at first, as texts; then all that is repeated succeeds.
std::vector<std::string> EndsOf(ScriptedServer& server, const v1::BatchExecuteRequest& request,
                                const std::vector<absl::Status>& first) {
  server.EndOperations({first});
  const auto response = ClientAt(server.address()).batch().Execute(request);
  INFO(response.status());
  REQUIRE(response.ok());
  std::vector<std::string> ends;
  for (const v1::BatchResult& result : response->results()) ends.push_back(ReasonOf(StatusOf(result)));
  return ends;
}

TEST_CASE("operations of an independent batch that were not done are repeated, in their order") {
  const absl::Status ok;
  const absl::Status refused = Error(errors::kKeyNotFound, "absent");
  const absl::Status not_applied = Error(errors::kNotApplied, "away");
  const absl::Status unknown = Error(errors::kOutcomeUnknown, "");
  const absl::Status no_room = Error(errors::kReplyTooLarge, "");
  v1::BatchExecuteRequest request;
  request.add_operations()->mutable_int_put()->set_key("a");
  request.add_operations()->mutable_int_get()->set_key("a");
  request.add_operations()->mutable_int_increment()->set_key("a");
  v1::BatchExecuteRequest named = request;
  named.mutable_operations(0)->mutable_int_put()->set_request_id("1");
  named.mutable_operations(2)->mutable_int_increment()->set_request_id("2");
  using Ends = std::vector<std::string>;
  const struct {
    v1::BatchExecuteRequest request;
    std::vector<absl::Status> first;
    std::vector<int> operations;
    Ends ends;
  } kCases[] = {
      {request, {ok, ok, ok}, {3}, {"", "", ""}},
      {request, {refused, ok, refused}, {3}, {"KEY_NOT_FOUND", "", "KEY_NOT_FOUND"}},
      {request, {not_applied, ok, not_applied}, {3, 3}, {"", "", ""}},
      {request, {ok, ok, not_applied}, {3, 1}, {"", "", ""}},
      {request, {not_applied, ok, refused}, {3, 3}, {"", "", ""}},
      {request, {not_applied, no_room, no_room}, {3, 3}, {"", "", ""}},
      {request, {ok, Error(errors::kPendingWrite, "pending"), refused}, {3, 2}, {"", "", ""}},
      // What comes later was done: the order would be another one.
      {request, {not_applied, ok, ok}, {3}, {"NOT_APPLIED", "", ""}},
      {request, {not_applied, ok, unknown}, {3}, {"NOT_APPLIED", "", "OUTCOME_UNKNOWN"}},
      {named, {not_applied, ok, unknown}, {3, 1}, {"NOT_APPLIED", "", ""}},
      // What may have happened is repeated only under a name.
      {request, {ok, ok, unknown}, {3}, {"", "", "OUTCOME_UNKNOWN"}},
      {named, {unknown, refused, not_applied}, {3, 3}, {"", "", ""}},
      {named, {unknown, ok, unknown}, {3, 1}, {"OUTCOME_UNKNOWN", "", ""}},
      {request, {unknown, ok, not_applied}, {3, 1}, {"OUTCOME_UNKNOWN", "", ""}},
  };
  for (const auto& test : kCases) {
    ScriptedServer server;
    CHECK(EndsOf(server, test.request, test.first) == test.ends);
    CHECK(server.operations() == test.operations);
  }
}

TEST_CASE("what is not settled when the time is over is told in the results") {
  const absl::Status not_applied = Error(errors::kNotApplied, "away");
  ScriptedServer server;
  server.EndOperations(std::vector<std::vector<absl::Status>>(1000, {not_applied}));
  Options options;
  options.address = server.address();
  options.plaintext = true;
  options.timeout = absl::Milliseconds(500);
  const auto away = Client::Connect(options)->batch().Execute(Increments({"a"}, false));
  REQUIRE(away.ok());
  CHECK(Is(StatusOf(away->results(0)), errors::kNotApplied));
  CHECK(server.operations().size() > 1);

  // A connection that breaks in the second attempt leaves open what became of that one, and nothing else.
  ScriptedServer breaking;
  breaking.EndOperations({{absl::OkStatus(), not_applied}});
  options.address = breaking.address();
  options.timeout = absl::Seconds(20);
  options.on_retry = [&](const absl::Status&) { breaking.FailNext({absl::UnavailableError("gone")}); };
  const auto broken = Client::Connect(options)->batch().Execute(Increments({"a", "b"}, false));
  REQUIRE(broken.ok());
  REQUIRE(broken->results_size() == 2);
  CHECK(StatusOf(broken->results(0)).ok());
  CHECK(StatusOf(broken->results(1)).message() == "gone");
}

TEST_CASE("an independent batch waits for its ledger") {
  Pair pair;
  pair.Start();
  Options options;
  options.address = "127.0.0.1:" + std::to_string(pair.kvs().port());
  options.plaintext = true;
  options.timeout = absl::Seconds(60);
  bool is_back = false;
  options.on_retry = [&](const absl::Status& status) {
    CHECK(Is(status, errors::kNotApplied));
    if (!is_back) pair.StartLedger();
    is_back = true;
  };
  const auto client = Client::Connect(options);
  REQUIRE(client->ints().Put("a", 1).ok());
  pair.StopLedger();
  pair.AwaitNotWritable();
  v1::BatchExecuteRequest request = Increments({"a", "a"}, /*atomic=*/false);
  request.add_operations()->mutable_int_get()->set_key("a");
  const auto response = client->batch().Execute(request);
  REQUIRE(response.ok());
  CHECK(is_back);
  REQUIRE(response->results_size() == 3);
  CHECK(response->results(0).int_increment().value() == 2);
  CHECK(response->results(2).int_get().value() == 3);
}

TEST_CASE("a batch is repeated under a request_id, which an atomic one gets and an independent one must have") {
  v1::BatchExecuteRequest request = Increments({"a", "b"}, /*atomic=*/true);
  {
    ScriptedServer server;
    server.FailNext({absl::UnavailableError("gone")});
    CHECK(ClientAt(server.address()).batch().Execute(request).ok());
    REQUIRE(server.request_ids().size() == 2);
    CHECK(server.request_ids()[0].size() == 32);
    CHECK(server.request_ids()[1] == server.request_ids()[0]);
  }
  request.set_request_id("mine");
  {
    ScriptedServer server;
    server.FailNext({absl::UnavailableError("gone")});
    CHECK(ClientAt(server.address()).batch().Execute(request).ok());
    CHECK(server.request_ids() == std::vector<std::string>{"mine", "mine"});
  }
  request = Increments({"a", "b"}, /*atomic=*/false);
  for (auto& operation : *request.mutable_operations()) {
    ScriptedServer server;
    server.FailNext({absl::UnavailableError("gone")});
    CHECK(absl::IsUnavailable(ClientAt(server.address()).batch().Execute(request).status()));
    operation.mutable_int_increment()->set_request_id("one of its own");
  }
  ScriptedServer server;
  server.FailNext({absl::UnavailableError("gone")});
  CHECK(ClientAt(server.address()).batch().Execute(request).ok());
  CHECK(server.request_ids() == std::vector<std::string>{"", ""});
}

TEST_CASE("a pipeline answers its batches in order, and ends when the client has no more") {
  Pair pair;
  pair.Start();
  const Client client = ClientAt("127.0.0.1:" + std::to_string(pair.kvs().port()));
  Pipeline pipeline = client.batch().OpenPipeline();
  for (int i = 0; i < 50; ++i) {
    REQUIRE(pipeline.Send(Increments({"a", "a"}, i % 2)));
    REQUIRE(pipeline.Send(Increments({"a", ""}, true)));
  }
  pipeline.CloseSending();
  for (int i = 0; i < 50; ++i) {
    const auto done = pipeline.Receive();
    REQUIRE(done.has_value());
    REQUIRE(done->ok());
    CHECK((*done)->results(1).int_increment().value() == 2 * i + 2);
    const auto failed = pipeline.Receive();
    REQUIRE(failed.has_value());
    CHECK(Is(failed->status(), errors::kInvalidKey));
  }
  CHECK_FALSE(pipeline.Receive().has_value());
  CHECK(pipeline.Finish().ok());
}

TEST_CASE("a pipeline that is given up ends, and one without a server tells so") {
  {
    Pair pair;
    pair.Start();
    const Client client = ClientAt("127.0.0.1:" + std::to_string(pair.kvs().port()));
    Pipeline pipeline = client.batch().OpenPipeline();
    REQUIRE(pipeline.Send(Increments({"a"}, false)));
    Pipeline moved = std::move(pipeline);
    CHECK(moved.Receive()->ok());
  }
  const Client client = ClientAt("127.0.0.1:1");
  Pipeline pipeline = client.batch().OpenPipeline();
  CHECK_FALSE(pipeline.Receive().has_value());
  CHECK(absl::IsUnavailable(pipeline.Finish()));
}

}  // namespace
}  // namespace kvs::client
