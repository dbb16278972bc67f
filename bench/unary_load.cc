// A closed loop of unary calls on IntStore: each of `outstanding` calls is followed by the next as soon as it is
// answered, from one thread over several connections. Keys are 16 bytes, drawn uniformly.

#include <absl/random/random.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/clock.h>
#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/message.h"
#include "kvs/v1/int_store.pb.h"

namespace kvs {
namespace {

struct Options {
  std::string address = "127.0.0.1:5050";
  std::string method = "get";
  int connections = 4;
  int outstanding = 64;
  int keys = 1000000;
  double seconds = 4;
  int pid = 0;
  bool fill = false;
};

// User and system time of a process, in seconds.
double CpuSeconds(int pid) {
  std::ifstream stat(absl::StrFormat("/proc/%d/stat", pid));
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  unsigned long user = 0, system = 0;
  std::sscanf(text.c_str() + after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {
    for (int i = 0; i < options.connections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt("kvs.connection", i);
      stubs_.push_back(std::make_unique<grpc::GenericStub>(
          grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments)));
    }
  }

  // Puts every key once.
  void Fill() {
    next_key_ = 0;
    filling_ = true;
    Run([this] { return next_key_ >= options_.keys; }, "put");
    filling_ = false;
    latencies_.clear();
  }

  void Measure() {
    const double cpu = CpuSeconds(options_.pid);
    const absl::Time start = absl::Now();
    const absl::Time end = start + absl::Seconds(options_.seconds);
    Run([end] { return absl::Now() >= end; }, options_.method);
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    const double calls = static_cast<double>(latencies_.size());
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) { return latencies_[static_cast<size_t>(share * (calls - 1))] * 1e6; };
    std::printf("%s calls/s=%.0f p50=%.0fus p99=%.0fus p99.9=%.0fus server_cpu=%.1fus/call failed=%zu\n",
                options_.method.c_str(), calls / seconds, at(0.5), at(0.99), at(0.999),
                (CpuSeconds(options_.pid) - cpu) / calls * 1e6, failed_);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    absl::Time start;
    size_t stub;
  };

  template <class Done>
  void Run(Done done, const std::string& method) {
    int under_way = 0;
    for (int i = 0; i < options_.outstanding; ++i, ++under_way) Start(i % stubs_.size(), method);
    void* tag = nullptr;
    bool ok = false;
    while (under_way > 0 && queue_.Next(&tag, &ok)) {
      std::unique_ptr<Call> call(static_cast<Call*>(tag));
      if (!call->status.ok()) failed_++;
      latencies_.push_back(absl::ToDoubleSeconds(absl::Now() - call->start));
      if (done()) {
        under_way--;
      } else {
        Start(call->stub, method);
      }
    }
  }

  void Start(size_t stub, const std::string& method) {
    auto* call = new Call;
    call->stub = stub;
    call->start = absl::Now();
    const std::string key =
        absl::StrFormat("key:%012d", filling_ ? next_key_++ : absl::Uniform(random_, 0, options_.keys));
    grpc::ByteBuffer request;
    const char* path = "/kvs.v1.IntStore/Get";
    if (method == "put") {
      path = "/kvs.v1.IntStore/Put";
      v1::IntStorePutRequest put;
      put.set_key(key);
      put.set_value(41);
      request = rpc::Serialize(put);
    } else if (method == "increment") {
      path = "/kvs.v1.IntStore/Increment";
      v1::IntStoreIncrementRequest increment;
      increment.set_key(key);
      increment.set_delta(1);
      request = rpc::Serialize(increment);
    } else {
      v1::IntStoreGetRequest get;
      get.set_key(key);
      request = rpc::Serialize(get);
    }
    call->reader = stubs_[stub]->PrepareUnaryCall(&call->context, path, request, &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, call);
  }

  const Options options_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  absl::BitGen random_;
  std::vector<double> latencies_;
  size_t failed_ = 0;
  bool filling_ = false;
  int next_key_ = 0;
};

}  // namespace
}  // namespace kvs

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  kvs::Options options;
  CLI::App app("A closed loop of unary calls on IntStore");
  app.add_option("--address", options.address, "HOST:PORT");
  app.add_option("--method", options.method, "get, put or increment")
      ->check(CLI::IsMember({"get", "put", "increment"}));
  app.add_option("--connections", options.connections, "Connections")->check(CLI::PositiveNumber);
  app.add_option("--outstanding", options.outstanding, "Calls under way at once")->check(CLI::PositiveNumber);
  app.add_option("--keys", options.keys, "Number of keys")->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::PositiveNumber);
  app.add_option("--pid", options.pid, "The server's process, whose CPU time is told");
  app.add_flag("--fill", options.fill, "Put every key once before measuring");
  CLI11_PARSE(app, argc, argv);
  kvs::Load load(options);
  if (options.fill) load.Fill();
  load.Measure();
  return 0;
}
