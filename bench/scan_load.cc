// What a scan does to others: durable puts in a closed loop, in rounds without and with a scan of all keys under way,
// in turn. Keys are ints with names of 16 bytes, which --fill puts first.

#include <absl/random/random.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/clock.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kvs/v1/int_store.grpc.pb.h"
#include "kvs/v1/keys.grpc.pb.h"

namespace kvs {
namespace {

struct Options {
  std::string address = "127.0.0.1:5050";
  int outstanding = 16;
  int keys = 1000000;
  double seconds = 4;
  int rounds = 5;
  bool fill = false;
};

std::string KeyOf(int i) { return absl::StrFormat("key:%012d", i); }

std::shared_ptr<grpc::Channel> Connect(const Options& options, int number) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("kvs.connection", number);
  return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
}

void Fill(const Options& options) {
  v1::IntStore::Stub stub(Connect(options, 0));
  for (int next = 0; next < options.keys;) {
    v1::IntStoreMultiPutRequest request;
    for (; next < options.keys && request.keys_size() < 10000; ++next) {
      request.add_keys(KeyOf(next));
      request.add_values(next);
    }
    grpc::ClientContext context;
    v1::IntStoreMultiPutResponse response;
    const grpc::Status status = stub.MultiPut(&context, request, &response);
    if (!status.ok()) std::printf("MultiPut: %s\n", status.error_message().c_str());
  }
}

// Scans all keys over and over, until it goes out of scope.
class Scans {
 public:
  explicit Scans(const Options& options) : stub_(Connect(options, 1)), thread_([this] { Run(); }) {}
  ~Scans() {
    stop_ = true;
    thread_.join();
  }

  double keys() const { return static_cast<double>(keys_); }
  int broken() const { return broken_; }

 private:
  void Run() {
    while (!stop_) {
      grpc::ClientContext context;
      const auto reader = stub_.Scan(&context, v1::KeysScanRequest());
      v1::KeysScanResponse message;
      while (!stop_ && reader->Read(&message)) keys_ += message.entries_size();
      if (stop_) context.TryCancel();
      if (!reader->Finish().ok() && !stop_) ++broken_;
    }
  }

  v1::Keys::Stub stub_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> keys_{0};
  std::atomic<int> broken_{0};
  std::thread thread_;
};

// Keeps so many puts under way, and notes how long each took.
class Puts {
 public:
  explicit Puts(const Options& options) : options_(options), stub_(Connect(options, 2)) {}

  void Run() {
    const absl::Time end = absl::Now() + absl::Seconds(options_.seconds);
    int under_way = 0;
    for (; under_way < options_.outstanding; ++under_way) Start();
    void* tag = nullptr;
    bool ok = false;
    while (under_way > 0 && queue_.Next(&tag, &ok)) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      if (!call->status.ok()) ++failed_;
      micros_.push_back(absl::ToDoubleMicroseconds(absl::Now() - call->start));
      if (absl::Now() >= end) {
        --under_way;
      } else {
        Start();
      }
    }
    std::sort(micros_.begin(), micros_.end());
  }

  double At(double share) const {
    return micros_[static_cast<size_t>(share * static_cast<double>(micros_.size() - 1))];
  }
  double PerSecond() const { return static_cast<double>(micros_.size()) / options_.seconds; }
  int failed() const { return failed_; }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::IntStorePutResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::IntStorePutResponse>> reader;
    absl::Time start = absl::Now();
  };

  void Start() {
    auto* call = new Call;
    v1::IntStorePutRequest request;
    request.set_key(KeyOf(absl::Uniform(random_, 0, options_.keys)));
    request.set_value(41);
    call->reader = stub_.AsyncPut(&call->context, request, &queue_);
    call->reader->Finish(&call->response, &call->status, call);
  }

  const Options& options_;
  v1::IntStore::Stub stub_;
  grpc::CompletionQueue queue_;
  absl::BitGen random_;
  std::vector<double> micros_;
  int failed_ = 0;
};

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

void Measure(const Options& options) {
  std::vector<double> rises;
  for (int round = 0; round < options.rounds; ++round) {
    double alone = 0;
    for (const bool with_scan : {false, true}) {
      const auto scans = with_scan ? std::make_unique<Scans>(options) : nullptr;
      Puts puts(options);
      puts.Run();
      std::printf("%-5s puts/s=%.0f p50=%.0fus p99=%.0fus p99.9=%.0fus failed=%d", with_scan ? "scan" : "alone",
                  puts.PerSecond(), puts.At(0.5), puts.At(0.99), puts.At(0.999), puts.failed());
      if (scans) std::printf(" scanned/s=%.0f broken=%d", scans->keys() / options.seconds, scans->broken());
      std::printf("\n");
      if (with_scan) {
        rises.push_back(puts.At(0.999) - alone);
      } else {
        alone = puts.At(0.999);
      }
    }
  }
  std::printf("p99.9 rises by %.0fus (median of %d rounds)\n", Median(rises), options.rounds);
}

}  // namespace
}  // namespace kvs

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  kvs::Options options;
  CLI::App app("Durable puts without and with a scan under way");
  app.add_option("--address", options.address, "HOST:PORT");
  app.add_option("--outstanding", options.outstanding, "Puts under way at once")->check(CLI::PositiveNumber);
  app.add_option("--keys", options.keys, "Number of keys")->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "How long each measurement takes")->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds, "How often")->check(CLI::PositiveNumber);
  app.add_flag("--fill", options.fill, "Put every key once before measuring");
  CLI11_PARSE(app, argc, argv);
  if (options.fill) kvs::Fill(options);
  kvs::Measure(options);
  return 0;
}
