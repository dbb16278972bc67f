// UntakenAnswers: what answers take in memory until their clients have taken them.
//
// gRPC keeps an answer until the client has room for it, and bounds only the calls of one connection. A client that
// asks for much and reads nothing, or slowly, would so fill the memory. The answers of all connections may take
// `limit`:
//
// 1. From there on, calls of a connection that holds anything are to be refused (HasRoom), so that the others are
// served.
// 2. Past twice that, which many connections with an answer each may reach, those that hold the most are cut until no
//    more than the limit is left.
// 3. From four times that on, every call is to be refused. That is for what a cut does not free, or not at once:
// answers
//    that wait for the ledger.
//
// Thread-safety: everything may be called from any thread.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/sync.h"

namespace kvs::rpc {

class UntakenAnswers {
 public:
  // Ends connections, by the names that gRPC gives their peers.
  using Cut = absl::AnyInvocable<void(const std::set<std::string>& peers)>;

 private:
  struct Connection {
    size_t bytes = 0;
    size_t counts = 0;
    bool is_cut = false;
  };
  using Connections = std::map<std::string, Connection>;

 public:
  // What one call holds, until this goes. Used by one thread at a time.
  class Count {
   public:
    Count() = default;
    ~Count();
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;

   private:
    friend class UntakenAnswers;

    UntakenAnswers* answers_ = nullptr;
    Connections::value_type* connection_ = nullptr;  // null until something is counted
    size_t bytes_ = 0;
  };

  UntakenAnswers(size_t limit, Cut cut) : limit_(limit), cut_(std::move(cut)) {}

  // Whether this connection may have another answer.
  bool HasRoom(const grpc::ServerContext& context) ABSL_LOCKS_EXCLUDED(mutex_) {
    return total_.load(std::memory_order_relaxed) < limit_ || HasRoom(context.peer());
  }
  bool HasRoom(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sets what a call of this connection holds. As little as fits into the buffers of the system is not counted, unless
  // the call has held more before.
  void Set(const grpc::ServerContext& context, size_t bytes, Count* count) {
    if (count->connection_ != nullptr) {
      SetForPeer({}, bytes, count);
    } else if (bytes >= kLeastBytes) {
      SetForPeer(context.peer(), bytes, count);
    }
  }
  // The peer is that of the first time.
  void SetForPeer(const std::string& peer, size_t bytes, Count* count) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t limit() const { return limit_; }
  size_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kLeastBytes = 4096;

  void Add(Connection* connection, size_t bytes, size_t instead_of) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(Count* count) ABSL_LOCKS_EXCLUDED(mutex_);
  std::set<std::string> ChooseLargest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t limit_;
  Cut cut_;
  std::atomic<size_t> total_ = 0;  // written under the mutex

  Mutex mutex_;
  Connections connections_ ABSL_GUARDED_BY(mutex_);  // those with a count
  size_t cut_bytes_ ABSL_GUARDED_BY(mutex_) = 0;     // of `total_`, what those that were cut hold still
};

}  // namespace kvs::rpc
