// A closed loop of calls with many keys on StringStore: each of `outstanding` calls is followed by the next as soon as
// it is answered, from one thread over several connections. Keys are 16 bytes, drawn uniformly, values 32.
//
//   get, put              StringStore.MultiGet and MultiPut
//   batch-get, batch-put  Batch.Execute with as many operations
//   atomic-put            the same, all or nothing

#include <absl/random/random.h>
#include <absl/strings/match.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/clock.h>
#include <google/protobuf/arena.h>
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
#include "kvs/v1/batch.pb.h"

namespace kvs {
namespace {

using google::protobuf::Arena;

struct Options {
  std::string address = "127.0.0.1:5050";
  std::string method = "get";
  int connections = 4;
  int outstanding = 16;
  int batch = 100;
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
    is_filling_ = true;
    Run([this] { return next_key_ >= options_.keys; }, "put");
    is_filling_ = false;
    latencies_.clear();
  }

  void Measure() {
    const double cpu = CpuSeconds(options_.pid);
    const double own_cpu = CpuSeconds(getpid());
    const absl::Time start = absl::Now();
    const absl::Time end = start + absl::Seconds(options_.seconds);
    Run([end] { return absl::Now() >= end; }, options_.method);
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    const double calls = static_cast<double>(latencies_.size());
    const double keys = calls * options_.batch;
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) { return latencies_[static_cast<size_t>(share * (calls - 1))] * 1e6; };
    std::printf(
        "%s keys/s=%.0f calls/s=%.0f p50=%.0fus p99=%.0fus p99.9=%.0fus server_cpu=%.0fns/key own_cpu=%.0fns/key "
        "failed=%zu\n",
        options_.method.c_str(), keys / seconds, calls / seconds, at(0.5), at(0.99), at(0.999),
        (CpuSeconds(options_.pid) - cpu) / keys * 1e9, (CpuSeconds(getpid()) - own_cpu) / keys * 1e9, failed_);
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
      if (!call->status.ok() || !Check(call->response, method)) failed_++;
      latencies_.push_back(absl::ToDoubleSeconds(absl::Now() - call->start));
      if (done()) {
        under_way--;
      } else {
        Start(call->stub, method);
      }
    }
  }

  // Reads the response, as a client would.
  bool Check(const grpc::ByteBuffer& bytes, const std::string& method) const {
    Arena arena;
    if (method == "get") {
      auto* response = Arena::CreateMessage<v1::StringStoreMultiGetResponse>(&arena);
      return rpc::Parse(bytes, response) && response->values_size() == options_.batch;
    }
    if (method == "put") {
      auto* response = Arena::CreateMessage<v1::StringStoreMultiPutResponse>(&arena);
      return rpc::Parse(bytes, response) && response->revisions_size() == options_.batch;
    }
    auto* response = Arena::CreateMessage<v1::BatchExecuteResponse>(&arena);
    return rpc::Parse(bytes, response) && response->results_size() == options_.batch;
  }

  std::string NextKey() {
    return absl::StrFormat("key:%012d", is_filling_ ? next_key_++ : absl::Uniform(random_, 0, options_.keys));
  }

  grpc::ByteBuffer MakeRequest(const std::string& method, const char** path) {
    Arena arena;
    if (method == "get") {
      *path = "/kvs.v1.StringStore/MultiGet";
      auto* request = Arena::CreateMessage<v1::StringStoreMultiGetRequest>(&arena);
      for (int i = 0; i < options_.batch; ++i) request->add_keys(NextKey());
      return rpc::Serialize(*request);
    }
    if (method == "put") {
      *path = "/kvs.v1.StringStore/MultiPut";
      auto* request = Arena::CreateMessage<v1::StringStoreMultiPutRequest>(&arena);
      for (int i = 0; i < options_.batch; ++i) {
        request->add_keys(NextKey());
        request->add_values(value_);
      }
      return rpc::Serialize(*request);
    }
    *path = "/kvs.v1.Batch/Execute";
    auto* request = Arena::CreateMessage<v1::BatchExecuteRequest>(&arena);
    request->set_atomic(method == "atomic-put");
    for (int i = 0; i < options_.batch; ++i) {
      auto* operation = request->add_operations();
      if (method == "batch-get") {
        operation->mutable_string_get()->set_key(NextKey());
      } else {
        operation->mutable_string_put()->set_key(NextKey());
        operation->mutable_string_put()->set_value(value_);
      }
    }
    return rpc::Serialize(*request);
  }

  void Start(size_t stub, const std::string& method) {
    auto* call = new Call;
    call->stub = stub;
    call->start = absl::Now();
    const char* path = nullptr;
    const grpc::ByteBuffer request = MakeRequest(method, &path);
    call->reader = stubs_[stub]->PrepareUnaryCall(&call->context, path, request, &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, call);
  }

  const Options options_;
  const std::string value_ = std::string(32, 'v');
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  absl::BitGen random_;
  std::vector<double> latencies_;
  size_t failed_ = 0;
  bool is_filling_ = false;
  int next_key_ = 0;
};

}  // namespace
}  // namespace kvs

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  kvs::Options options;
  CLI::App app("A closed loop of calls with many keys on StringStore");
  app.add_option("--address", options.address, "HOST:PORT");
  app.add_option("--method", options.method, "get, put, batch-get, batch-put or atomic-put")
      ->check(CLI::IsMember({"get", "put", "batch-get", "batch-put", "atomic-put"}));
  app.add_option("--connections", options.connections, "Connections")->check(CLI::PositiveNumber);
  app.add_option("--outstanding", options.outstanding, "Calls under way at once")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "Keys in each call")->check(CLI::PositiveNumber);
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
