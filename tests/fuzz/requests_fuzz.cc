// Every method of the public API with any bytes as its request, one after the other, over a connection and with a
// ledger in memory. Each is answered, no answer is an accident, and what the ledger got gives the state that the server
// has.
#include <absl/strings/str_cat.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/latch.h"
#include "common/rpc/server.h"
#include "kvs_server/api/batch.h"
#include "kvs_server/api/keys.h"
#include "kvs_server/api/maintenance.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/api/stores.h"
#include "kvs_server/engine/scanner.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/raw_stream.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/log_state.h"
#include "tests/support/raw_call.h"
#include "txn_server/log/frame.h"

namespace kvs::fuzz::requests {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;

constexpr size_t kMaxRequests = 64;

// In an order that never changes: inputs name them by number.
const std::vector<const MethodDescriptor*>& Methods() {
  static const auto* const methods = [] {
    auto* all = new std::vector<const MethodDescriptor*>();
    for (const char* file : {"int_store", "uint_store", "float_store", "string_store", "set_store", "map_store", "keys",
                             "batch", "maintenance"}) {
      const auto* service =
          DescriptorPool::generated_pool()->FindFileByName(absl::StrCat("kvs/v1/", file, ".proto"))->service(0);
      for (int i = 0; i < service->method_count(); ++i) all->push_back(service->method(i));
    }
    return all;
  }();
  return *methods;
}

// kvs_server without its main function, whose ledger is in memory and takes everything at once.
class Server {
 public:
  Server() {
    services_ = server::MakeStoreServices(&engine_, &responder_, {});
    services_.push_back(server::MakeBatchService(&engine_, &responder_, {}));
    services_.push_back(server::MakeKeysService(&engine_, &responder_));
    services_.push_back(server::MakeMaintenanceService(&engine_, &responder_, {}));
    for (const auto& service : services_) server_.Add(service.get());
    RequireOk(server_.Listen(), "cannot listen");
    journal_.SetLoop(&server_.loop());
    journal_.ReplayEnded();
    journal_.SetState(server::LedgerState::kConnected, "");
    server_.loop().OnDrained([this] { Persist(); });
    server_.Run();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_.port()), grpc::InsecureChannelCredentials());
  }

  void Call(const MethodDescriptor& method, absl::string_view request) {
    const std::string path = absl::StrCat("/", method.service()->full_name(), "/", method.name());
    absl::StatusCode code = absl::StatusCode::kOk;
    if (method.client_streaming() || method.server_streaming()) {
      code = static_cast<absl::StatusCode>(CallStream(channel_, path, {std::string(request)}).status.error_code());
    } else {
      std::string response;
      code = RawCall(channel_, path, request, &response).code();
    }
    for (const auto accident :
         {absl::StatusCode::kInternal, absl::StatusCode::kUnknown, absl::StatusCode::kDataLoss,
          absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable, absl::StatusCode::kUnimplemented}) {
      Require(code != accident, absl::StrCat(path, " ended with ", absl::StatusCodeToString(code)));
    }
  }

  // Compares the state with what the ledger got since the last time, and begins anew.
  void CheckStateAndClear() {
    // A scan whose client has gone closes its view a moment later.
    while (store_.views().open() > 0) std::this_thread::yield();
    Latch done;
    server_.loop().Post([this, &done] {
      Persist();
      Require(Describe(ledger_) == DescribeStore(), "the ledger holds another state than the server");
      store_.Clear();
      ledger_ = txn::LogState();
      done.CountDown();
    });
    done.Wait();
  }

 private:
  // On the loop's thread, as the link to a ledger does it.
  void Persist() {
    while (const auto frame = journal_.NextToSend()) {
      RequireOk(txn::CheckFrame({frame->first_revision, frame->count, frame->transactions}), "a frame is malformed");
      RequireOk(ledger_.ApplyList(frame->transactions), "a transaction does not follow from those before it");
    }
    Require(journal_.Acknowledge(journal_.sent_revision()), "the journal does not know its own revision");
  }

  static std::string Line(ValueType type, absl::string_view key, uint64_t revision, int64_t expires_at) {
    return absl::StrCat(TypeName(type), " ", key, " ", revision, " ", expires_at);
  }

  struct Key {
    std::string line;
    Value value;
    bool operator==(const Key&) const = default;
  };

  // Those keys whose time has not come.
  std::vector<Key> Describe(const txn::LogState& state) {
    std::vector<Key> keys;
    const int64_t now = journal_.NowMicros();
    for (const auto& [name, key] : state.keys()) {
      if (key.expires_at_micros() != 0 && key.expires_at_micros() <= now) continue;
      keys.push_back({Line(name.first, name.second, key.revision(), key.expires_at_micros()), key.value()});
    }
    return keys;
  }

  std::vector<Key> DescribeStore() {
    std::vector<Key> keys;
    auto scanner = server::Scanner::Open(&store_, &journal_,
                                         {.types = std::vector<ValueType>(kValueTypes.begin(), kValueTypes.end())},
                                         server::Scanner::kNoLimit, [] {});
    RequireOk(scanner.status(), "the state cannot be read");
    while (!(*scanner)->is_done()) {
      const absl::Status status = (*scanner)->Read(1000, [&keys](server::ViewedKey&& key) {
        Require(!key.more, "a value is larger than an input can make it");
        keys.push_back({Line(key.type, key.key, key.revision, key.expires_at_micros), *std::move(key.value)});
        return true;
      });
      RequireOk(status, "the state cannot be read");
    }
    return keys;
  }

  // Time stands still, so that both states are of the same moment.
  server::Journal journal_{
      {.max_commit_wait = absl::Minutes(10), .clock = [] { return absl::FromUnixSeconds(1'700'000'000); }}};
  server::Store store_{8};
  server::Engine engine_{&store_, &journal_};
  server::Responder responder_{&journal_, [](const grpc::ServerContext&) { return std::string("actor"); }};
  std::vector<std::unique_ptr<rpc::Service>> services_;
  rpc::Server server_{{.address = "127.0.0.1:0", .credentials = grpc::InsecureServerCredentials()}};
  std::shared_ptr<grpc::Channel> channel_;
  txn::LogState ledger_;
};

void Run(absl::string_view input) {
  static auto* const server = new Server();
  Pieces pieces(input);
  for (size_t i = 0; i < kMaxRequests && !pieces.empty(); ++i) {
    const MethodDescriptor* method = Methods()[pieces.Byte() % Methods().size()];
    server->Call(*method, pieces.Block());
  }
  server->CheckStateAndClear();
}

// A request in protobuf's text form, such as "IntStore.Put".
std::string Request(absl::string_view name, const std::string& text) {
  const auto method = std::find_if(Methods().begin(), Methods().end(), [&](const MethodDescriptor* method) {
    return absl::StrCat(method->service()->name(), ".", method->name()) == name;
  });
  Require(method != Methods().end(), absl::StrCat("there is no method ", name));
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype((*method)->input_type())->New());
  Require(google::protobuf::TextFormat::ParseFromString(text, message.get()), text);
  return static_cast<char>(method - Methods().begin()) + Block(message->SerializeAsString());
}

std::vector<Seed> MakeSeeds() {
  std::vector<Seed> seeds;
  // Those of one service together, so that later ones meet what the earlier ones made.
  std::string input;
  std::string service;
  for (const SampleRequest& sample : SampleRequests()) {
    const std::string its_service = sample.method.substr(0, sample.method.find('.'));
    if (its_service != service && !service.empty()) seeds.push_back({service, std::exchange(input, "")});
    service = its_service;
    input += Request(sample.method, sample.WithKey("k"));
  }
  seeds.push_back({service, input + Request("Keys.List", "") + Request("Keys.Scan", "") + Request("Keys.Count", "")});
  seeds.push_back({"Multi", Request("IntStore.MultiPut", "keys: 'a' keys: 'b' values: 1 values: -2") +
                                Request("IntStore.MultiIncrement", "keys: 'a' keys: 'b' deltas: 1 deltas: 2") +
                                Request("IntStore.MultiGet", "keys: 'a' keys: 'c'") +
                                Request("StringStore.MultiPut", "keys: 'a' values: 'text'") +
                                Request("StringStore.MultiGet", "keys: 'a'")});
  seeds.push_back(
      {"Conditions", Request("IntStore.Put", "key: 'k' value: 1 request_id: 'r' ttl { seconds: 100 }") +
                         Request("IntStore.Put", "key: 'k' value: 1 request_id: 'r' ttl { seconds: 100 }") +
                         Request("IntStore.Put", "key: 'k' value: 2 precondition { must_not_exist: true }") +
                         Request("IntStore.Increment", "key: 'k' delta: 3 precondition { revision_equals: 1 }")});
  const std::string operations =
      "operations { int_put { key: 'k' value: 1 } } operations { set_add { key: 's' members: 'm' } } "
      "operations { int_get { key: 'k' } }";
  seeds.push_back({"Batch", Request("Batch.Execute", operations) +
                                Request("Batch.Execute", "atomic: true " + operations) +
                                Request("Batch.Pipeline", "batch { " + operations + " }")});
  seeds.push_back({"Maintenance", Request("Maintenance.Status", "") + Request("Maintenance.Echo", "")});
  return seeds;
}

const Registration registration("requests", Run, MakeSeeds);

}  // namespace kvs::fuzz::requests
