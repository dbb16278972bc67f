// ApiPair: both servers, and the public API as a client sees it.
#pragma once

#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "common/limits.h"
#include "kvs/v1/maintenance.grpc.pb.h"
#include "tests/support/api_client.h"
#include "tests/support/catch.h"
#include "tests/support/log_capture.h"
#include "tests/support/pair.h"
#include "txn/v1/transaction.pb.h"

namespace kvs {

class ApiPair {
 protected:
  explicit ApiPair(size_t max_collection_bytes = kDefaultMaxCollectionBytes) : ApiPair(max_collection_bytes, nullptr) {}

  // On the log that `open_log` opens; null for one in memory.
  ApiPair(size_t max_collection_bytes, const Pair::OpenLog& open_log) {
    if (open_log) pair_.UseLog(open_log);
    pair_.kvs_config().max_collection_bytes = max_collection_bytes;
    // What a test holds up does not time out.
    pair_.kvs_config().max_commit_wait = absl::Minutes(10);
    pair_.Start();
  }

  ApiClient client() const { return ApiClient(pair_.channel()); }
  // A client with a connection of its own: all calls of one connection are handled by the same event loop.
  ApiClient Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return ApiClient(grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", pair_.kvs().port()),
                                               grpc::InsecureChannelCredentials(), arguments));
  }
  std::string Ask(const std::string& method, const std::string& request) const { return client().Ask(method, request); }
  absl::Status ErrorOf(const std::string& method, const std::string& request) const {
    return client().ErrorOf(method, request);
  }

  void Restart() {
    pair_.StopKvs();
    pair_.StopLedger();
    pair_.Start();
  }

  // Stops both servers, starts them again, and compares all that they tell.
  void CheckSameAfterRestart() {
    const std::vector<std::string> before = client().Dump();
    Restart();
    CHECK(client().Dump() == before);
  }

  // The newest revision, durable or not.
  uint64_t LatestRevision() const {
    v1::MaintenanceStatusResponse status;
    v1::Maintenance::Stub stub(pair_.channel());
    REQUIRE(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
    return status.ledger().latest_revision();
  }

  // What the ledger holds, one list of transactions for each frame.
  std::vector<::txn::v1::TransactionList> Logged() {
    std::vector<::txn::v1::TransactionList> frames;
    MutexLock lock(&pair_.storage().mutex);
    for (const auto& frame : pair_.storage().frames) REQUIRE(frames.emplace_back().ParseFromString(frame.transactions));
    return frames;
  }

  LogCapture log_;
  Pair pair_;
};

}  // namespace kvs
