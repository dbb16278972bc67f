// Server: a gRPC server whose services run on event loops; shared by both programs and by the tests.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/service.h"
#include "common/rpc/untaken_answers.h"

namespace kvs::rpc {

// Calls of one connection that may be under way at a time; the next ones wait in the client.
inline constexpr int kMaxCallsPerConnection = 1000;

struct ServerOptions {
  std::string address;  // host:port; port 0 takes any free one
  std::shared_ptr<grpc::ServerCredentials> credentials;
  int event_loops = 1;
  int max_receive_bytes = static_cast<int>(kMaxRequestBytes);  // of one message
};

// Thread-safety: used by one thread.
class Server {
 public:
  explicit Server(ServerOptions options) : options_(std::move(options)) {}
  // Drains without waiting and stops, if that has not happened.
  ~Server();

  // `service` outlives the server, and belongs to no other. Before Listen.
  void Add(Service* service) { services_.push_back(service); }

  // Creates the loops and opens the port, which refuses to be shared with another process. Calls wait until Run. After
  // an error (those of CheckListenAddress, UNAVAILABLE) only the destructor may follow, also those of the services.
  absl::Status Listen();

  // Starts the threads of the loops.
  void Run();

  // The loops; the first one is where background work belongs. After Listen.
  EventLoop& loop(size_t i = 0) { return *loops_[i]; }
  size_t loop_count() const { return loops_.size(); }

  // The port in use. After Listen.
  int port() const { return port_; }

  // Tells streams to finish, refuses new calls, waits for those under way until `timeout` has passed, cancels the rest
  // and cuts connections whose peers do not read, or keep them open without a call.
  // Loops run on, so that background work can still finish.
  void Drain(absl::Duration timeout);

  // Waits until every call is over and stops the loops. A unary call is over when its handler has answered it, even if
  // the drain has cancelled it: whoever keeps calls waiting answers them all before this. After Drain.
  void Stop();

 private:
  bool HasCalls() const;
  void CutPeers(const std::set<std::string>& peers) const;

  const ServerOptions options_;
  std::vector<Service*> services_;
  UntakenAnswers untaken_{kMaxUntakenBytes, [this](const auto& peers) { CutPeers(peers); }};
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool running_ = false;
  bool drained_ = false;
};

}  // namespace kvs::rpc
