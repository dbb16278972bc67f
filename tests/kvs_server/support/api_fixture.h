// ApiFixture: the services of kvs_server behind a real port, with a ledger that the test plays, which decides when
// something becomes durable.
#pragma once

#include <absl/time/time.h>

#include <future>
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvs_server/api/batch.h"
#include "kvs_server/api/keys.h"
#include "kvs_server/api/maintenance.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/api/stores.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/api_client.h"
#include "tests/support/test_server.h"

namespace kvs::server {

class ApiFixture {
 private:
  Mutex mutex_;
  absl::StatusOr<std::string> actor_ ABSL_GUARDED_BY(mutex_) = std::string();

 protected:
  explicit ApiFixture(bool connected = true, JournalOptions journal_options = {}, StoreOptions store_options = {},
                      const ViewBounds& view_bounds = {})
      : ledger_(journal_options, connected),
        store_(8, {.views = view_bounds}),
        services_(MakeServices(store_options)),
        server_(Pointers()) {}
  // No reply may wait when the server stops.
  ~ApiFixture() { journal().Abandon(); }

  std::string Ask(const std::string& method, const std::string& request) { return client_.Ask(method, request); }
  absl::Status ErrorOf(const std::string& method, const std::string& request) {
    return client_.ErrorOf(method, request);
  }

  // Calls under way. What still waits when they go out of scope ends as unknown.
  class Calls {
   public:
    explicit Calls(Journal* journal) : journal_(journal) {}
    Calls(Calls&&) = default;
    ~Calls() {
      if (!calls_.empty()) journal_->Abandon();
    }

    std::future<std::string>& operator[](size_t i) { return calls_[i]; }
    auto begin() const { return calls_.begin(); }
    auto end() const { return calls_.end(); }
    size_t size() const { return calls_.size(); }
    void Add(std::future<std::string> call) { calls_.push_back(std::move(call)); }

   private:
    Journal* const journal_;
    std::vector<std::future<std::string>> calls_;
  };

  // Begins calls that have to wait for the ledger, and returns when all of them do.
  Calls StartWaiting(std::initializer_list<std::pair<const char*, const char*>> requests) {
    const size_t waiting = journal().status().waiting_replies;
    Calls calls(&journal());
    for (const auto& [method, request] : requests) {
      calls.Add(client_.Start(method, request));
      AwaitWaiting(waiting + calls.size(), calls);
    }
    return calls;
  }

  // Returns when this many replies wait; fails if one of the calls is answered before.
  void AwaitWaiting(size_t waiting, const Calls& calls) {
    while (journal().status().waiting_replies < waiting) {
      for (const auto& call : calls) REQUIRE_FALSE(IsAnswered(call));
      std::this_thread::yield();
    }
    for (const auto& call : calls) REQUIRE_FALSE(IsAnswered(call));
  }

  // A change that is durable.
  void Do(const std::string& method, const std::string& request) {
    auto call = client_.Start(method, request);
    while (!IsAnswered(call)) {
      ledger_.Persist();
      std::this_thread::yield();
    }
    call.get();
  }

  // Who every caller is from now on, or why that cannot be told; anonymous before.
  void SetActor(absl::StatusOr<std::string> actor) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    actor_ = std::move(actor);
  }

  Journal& journal() { return ledger_.journal(); }

  ManualLedger ledger_;
  Store store_;
  Engine engine_{&store_, &ledger_.journal()};
  Responder responder_{&ledger_.journal(), [this](const grpc::ServerContext&) { return Actor(); }};
  std::vector<std::unique_ptr<rpc::Service>> services_;
  TestServer server_;
  ApiClient client_{server_.Connect()};

 private:
  absl::StatusOr<std::string> Actor() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return actor_;
  }

  std::vector<std::unique_ptr<rpc::Service>> MakeServices(const StoreOptions& store_options) {
    auto services = MakeStoreServices(&engine_, &responder_, store_options);
    services.push_back(MakeBatchService(&engine_, &responder_, store_options));
    services.push_back(MakeKeysService(&engine_, &responder_));
    MaintenanceOptions options;
    options.version = "1.2.3";
    options.ledger_address = "ledger:5051";
    options.start_time = absl::FromUnixMicros(1'700'000'000'123'456);
    services.push_back(MakeMaintenanceService(&engine_, &responder_, options));
    return services;
  }

  std::vector<rpc::Service*> Pointers() const {
    std::vector<rpc::Service*> pointers;
    for (const auto& service : services_) pointers.push_back(service.get());
    return pointers;
  }
};

}  // namespace kvs::server
