// Pipelines of commands to a Redis server, as redis-benchmark sends them, for what it cannot: a mix of commands in one
// pipeline, and keys in turn. Each connection sends a pipeline and waits for all of its replies. Prints what
// `kvs bench --output json` does.
//
//   mixed       reads and writes of numbers, strings and hashes, in the shares of `kvs bench mixed`
//   fill        puts every key that `redis-benchmark -r` uses once
//   fill-mixed  puts every key that mixed uses once

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "clients/bench/load.h"
#include "clients/bench/report.h"
#include "clients/bench/request_template.h"

namespace {

using kvs::bench::KeyNumbers;
using kvs::bench::KeySpace;
using kvs::bench::RequestTemplate;

struct Options {
  int port = 6379;
  std::string what = "mixed";
  int pipeline = 100;
  int connections = 50;
  uint64_t keys = 1'000'000;
  int reads = 50;
  std::string value = std::string(32, 'v');
  double duration = 10;
  double warmup = 1;
};

std::string Command(const std::vector<std::string>& words) {
  std::string text = absl::StrCat("*", words.size(), "\r\n");
  for (const std::string& word : words) absl::StrAppend(&text, "$", word.size(), "\r\n", word, "\r\n");
  return text;
}

// The commands of pipelines. Types share the keys of Redis, so each has a letter before its names.
class Pipelines {
 public:
  explicit Pipelines(const Options& options)
      : options_(options), keys_(options.keys, 15), benchmark_keys_(options.keys, 16, "key:") {}

  std::vector<RequestTemplate> Mixed() const {
    std::mt19937 random(1);
    std::vector<RequestTemplate> all;
    for (int i = 0; i < 16; ++i) {
      std::vector<bool> is_read(static_cast<size_t>(options_.pipeline));
      std::fill_n(is_read.begin(), options_.pipeline * options_.reads / 100, true);
      std::shuffle(is_read.begin(), is_read.end(), random);
      std::string bytes;
      int reads = 0;
      int writes = 0;
      for (const bool read : is_read) bytes += read ? Read(reads++) : Write(writes++);
      all.emplace_back(std::move(bytes), keys_);
    }
    return all;
  }

  std::vector<RequestTemplate> Fill() const {
    std::string bytes;
    for (int i = 0; i < options_.pipeline; ++i) bytes += Command({"SET", benchmark_keys_.Name(0), options_.value});
    return {RequestTemplate(bytes, benchmark_keys_)};
  }

  std::vector<RequestTemplate> FillMixed() const {
    std::vector<RequestTemplate> all;
    for (const int type : {0, 1, 3}) {
      std::string bytes;
      for (int i = 0; i < options_.pipeline; ++i) bytes += Write(type);
      all.emplace_back(std::move(bytes), keys_);
    }
    return all;
  }

 private:
  std::string Name(char type) const { return absl::StrCat(std::string(1, type), keys_.Name(0)); }

  std::string Read(int i) const {
    if (i % 3 == 0) return Command({"GET", Name('i')});
    if (i % 3 == 1) return Command({"GET", Name('s')});
    return Command({"HGET", Name('m'), "field"});
  }
  std::string Write(int i) const {
    if (i % 4 == 0) return Command({"SET", Name('i'), "41"});
    if (i % 4 == 1) return Command({"SET", Name('s'), options_.value});
    if (i % 4 == 2) return Command({"INCRBY", Name('i'), "1"});
    return Command({"HSET", Name('m'), "field", options_.value});
  }

  const Options options_;
  const KeySpace keys_;
  const KeySpace benchmark_keys_;
};

// Counts the replies in what arrives. No command here answers with a list.
class Replies {
 public:
  void Add(const char* bytes, size_t size) { bytes_.append(bytes, size); }

  // Whether one more reply was complete; it is forgotten.
  bool Next() {
    const size_t end = bytes_.find("\r\n", at_);
    if (end == std::string::npos) return Wait();
    size_t next = end + 2;
    const absl::string_view line(bytes_.data() + at_, end - at_);
    if (line[0] == '-') Note(absl::UnknownError(line.substr(1)));
    if (line == "$-1") Note(absl::NotFoundError("a key is not there"));
    int64_t length = 0;
    if (line[0] == '$' && absl::SimpleAtoi(line.substr(1), &length) && length >= 0) {
      next += static_cast<size_t>(length) + 2;
    }
    if (next > bytes_.size()) return Wait();
    at_ = next;
    return true;
  }

  uint64_t failed = 0;
  absl::Status first_error;

 private:
  bool Wait() {
    bytes_.erase(0, at_);
    at_ = 0;
    return false;
  }
  void Note(const absl::Status& error) {
    ++failed;
    first_error.Update(error);
  }

  std::string bytes_;
  size_t at_ = 0;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {}

  bool Connect() {
    for (int i = 0; i < options_.connections; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(static_cast<uint16_t>(options_.port));
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      polled_.push_back({fd, POLLIN, 0});
    }
    connections_.resize(polled_.size());
    return true;
  }

  // Sends pipelines until the time is up, or so many where `pipelines` is not 0; false if a connection broke.
  bool Run(const std::vector<RequestTemplate>& requests, KeyNumbers numbers, uint64_t pipelines) {
    requests_ = &requests;
    numbers_ = numbers;
    left_ = pipelines > 0 ? pipelines : ~uint64_t{0};
    begin_ = absl::GetCurrentTimeNanos();
    count_from_ = begin_ + static_cast<int64_t>(pipelines > 0 ? 0 : options_.warmup * 1e9);
    end_ = pipelines > 0 ? INT64_MAX : count_from_ + static_cast<int64_t>(options_.duration * 1e9);
    rusage before{};
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < connections_.size(); ++i) {
      if (!Send(i)) return false;
    }
    while (under_way_ > 0) {
      if (poll(polled_.data(), polled_.size(), 10'000) <= 0) return false;
      for (size_t i = 0; i < polled_.size(); ++i) {
        if (polled_[i].revents != 0 && !Receive(i)) return false;
      }
    }
    Finish(before);
    return true;
  }

  const kvs::bench::LoadResult& result() const { return result_; }

 private:
  struct Connection {
    Replies replies;
    int missing = 0;  // replies of the pipeline under way
    int64_t sent_nanos = 0;
  };

  bool Send(size_t i) {
    const int64_t now = absl::GetCurrentTimeNanos();
    if (now >= end_ || left_ == 0) return true;
    --left_;
    ++under_way_;
    connections_[i].missing = options_.pipeline;
    connections_[i].sent_nanos = now;
    request_.clear();
    (*requests_)[requests_->size() == 1 ? 0 : random_() % requests_->size()].AppendTo(&request_, numbers_);
    size_t sent = 0;
    while (sent < request_.size()) {
      const ssize_t count = send(polled_[i].fd, request_.data() + sent, request_.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

  bool Receive(size_t i) {
    Connection& connection = connections_[i];
    const ssize_t count = recv(polled_[i].fd, received_, sizeof(received_), 0);
    if (count <= 0) return false;
    connection.replies.Add(received_, static_cast<size_t>(count));
    while (connection.replies.Next()) --connection.missing;
    if (connection.missing > 0) return true;
    --under_way_;
    const int64_t now = absl::GetCurrentTimeNanos();
    result_.operations_in_all += static_cast<uint64_t>(options_.pipeline);
    if (now >= count_from_ && now <= end_) {
      result_.nanoseconds.Add(static_cast<uint64_t>(now - connection.sent_nanos));
      result_.operations += static_cast<uint64_t>(options_.pipeline);
    }
    return Send(i);
  }

  void Finish(const rusage& before) {
    const int64_t now = absl::GetCurrentTimeNanos();
    result_.seconds = static_cast<double>(std::min(now, end_) - count_from_) / 1e9;
    result_.seconds_in_all = static_cast<double>(now - begin_) / 1e9;
    rusage after{};
    getrusage(RUSAGE_SELF, &after);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    result_.cpu_seconds =
        seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime) - seconds(before.ru_stime);
    for (const Connection& connection : connections_) {
      result_.failed_operations += connection.replies.failed;
      result_.first_error.Update(connection.replies.first_error);
    }
  }

  const Options options_;
  std::vector<pollfd> polled_;
  std::vector<Connection> connections_;
  const std::vector<RequestTemplate>* requests_ = nullptr;
  KeyNumbers numbers_ = KeyNumbers::InTurn(1);
  std::mt19937 random_{1};
  uint64_t left_ = 0;
  int under_way_ = 0;
  int64_t begin_ = 0;
  int64_t count_from_ = 0;
  int64_t end_ = 0;
  std::string request_;
  char received_[65536];
  kvs::bench::LoadResult result_;
};

// What is measured last is what is printed.
std::optional<kvs::bench::LoadResult> Measure(const Options& options) {
  const Pipelines pipelines(options);
  if (options.what == "mixed") {
    Load load(options);
    const auto numbers = KeyNumbers::Random(options.keys, std::random_device{}());
    if (!load.Connect() || !load.Run(pipelines.Mixed(), numbers, 0)) return std::nullopt;
    return load.result();
  }
  std::optional<kvs::bench::LoadResult> result;
  const auto per_pipeline = static_cast<uint64_t>(options.pipeline);
  for (const RequestTemplate& request : options.what == "fill" ? pipelines.Fill() : pipelines.FillMixed()) {
    Load load(options);
    const uint64_t count = (options.keys + per_pipeline - 1) / per_pipeline;
    if (!load.Connect() || !load.Run({request}, KeyNumbers::InTurn(options.keys), count)) return std::nullopt;
    result = load.result();
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Pipelines of commands to a Redis server");
  app.add_option("what", options.what, "mixed, fill or fill-mixed")
      ->check(CLI::IsMember({"mixed", "fill", "fill-mixed"}));
  app.add_option("--port", options.port, "On 127.0.0.1");
  app.add_option("--pipeline", options.pipeline, "Commands in a pipeline")->check(CLI::PositiveNumber);
  app.add_option("--connections", options.connections, "How many")->check(CLI::PositiveNumber);
  app.add_option("--keys", options.keys, "How many keys")->check(CLI::PositiveNumber);
  app.add_option("--reads", options.reads, "Of mixed, in percent")->check(CLI::Range(0, 100));
  app.add_option("--value", options.value, "Of strings and fields");
  app.add_option("--duration", options.duration, "How long to measure, in seconds");
  app.add_option("--warmup", options.warmup, "How long before that, in seconds");
  CLI11_PARSE(app, argc, argv);
  const auto result = Measure(options);
  if (!result) {
    std::fprintf(stderr, "redis_load: the connection to port %d broke\n", options.port);
    return 3;
  }
  std::printf("%s\n", kvs::bench::Json(*result).c_str());
  return result->failed_operations == 0 ? 0 : 1;
}
