// What a disk can do, and what the file ledger makes of it: frames of one size, each durable before the next one.
//
//   overwrite  over a preallocated file of zeros, as the ledger writes, with one fdatasync each
//   ledger     through TxnLog, on which nothing else is done meanwhile
//
// Prints one JSON object: bytes_per_second and the percentiles of what a frame took. The time in which frames are put
// together is not counted.

#include <absl/status/statusor.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "clients/bench/histogram.h"
#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "txn_server/log/file/file_txn_log.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string directory;
  std::string what = "overwrite";
  size_t frame_bytes = 4096;
  double seconds = 5;
  size_t max_bytes = 0;
};

class Measurement {
 public:
  explicit Measurement(const Options& options) : options_(options), end_(Clock::now() + Seconds(options.seconds)) {}

  bool IsOver() const { return Clock::now() >= end_ || (options_.max_bytes > 0 && bytes_ >= options_.max_bytes); }

  // Does it, and counts the time.
  absl::Status Time(size_t bytes, const std::function<absl::Status()>& write) {
    const Clock::time_point begin = Clock::now();
    const absl::Status status = write();
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin);
    nanoseconds_.Add(static_cast<uint64_t>(took.count()));
    in_all_ += static_cast<double>(took.count()) / 1e9;
    bytes_ += bytes;
    return status;
  }

  void Print() const {
    const auto micros = [&](double share) { return static_cast<double>(nanoseconds_.At(share)) / 1e3; };
    std::printf(R"({"bytes_per_second":%.0f,"frames":%llu,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f,"max_us":%.1f})"
                "\n",
                static_cast<double>(bytes_) / in_all_, static_cast<unsigned long long>(nanoseconds_.count()),
                micros(0.5), micros(0.99), micros(0.999), micros(1));
  }

 private:
  static Clock::duration Seconds(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  const Options& options_;
  const Clock::time_point end_;
  kvs::bench::Histogram nanoseconds_;
  double in_all_ = 0;
  size_t bytes_ = 0;
};

absl::Status Overwrite(const Options& options) {
  const std::string path = options.directory + "/overwrite";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  const std::string zeros(kvs::kMiB, '\0');
  for (size_t at = 0; at < kvs::kDefaultSegmentBytes; at += zeros.size()) {
    if (pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) return absl::ErrnoToStatus(errno, path);
  }
  if (fsync(file) != 0) return absl::ErrnoToStatus(errno, path);
  const std::string frame(options.frame_bytes, 'x');
  size_t at = 0;
  Measurement measurement(options);
  while (!measurement.IsOver()) {
    if (at + frame.size() > kvs::kDefaultSegmentBytes) at = 0;
    const absl::Status written = measurement.Time(frame.size(), [&] {
      const bool ok = pwrite(file, frame.data(), frame.size(), static_cast<off_t>(at)) >= 0 && fdatasync(file) == 0;
      return ok ? absl::OkStatus() : absl::ErrnoToStatus(errno, path);
    });
    if (!written.ok()) return written;
    at += frame.size();
  }
  measurement.Print();
  close(file);
  std::filesystem::remove(path);
  return absl::OkStatus();
}

// Puts of ints that take so many bytes together.
std::vector<kvs::EncodedTransaction> Transactions(size_t bytes) {
  std::vector<kvs::EncodedTransaction> transactions;
  for (size_t size = 0; size < bytes; size += transactions.back().bytes().size()) {
    const std::string key = absl::StrFormat("key:%012d", transactions.size());
    kvs::Transaction transaction;
    transaction.actor = "spiffe://kvs/client/bench";
    transaction.key = key;
    transaction.operation = kvs::operation::Put{int64_t{41}};
    transactions.emplace_back(transaction);
  }
  return transactions;
}

absl::Status Ledger(const Options& options) {
  kvs::txn::FileTxnLogOptions log_options;
  log_options.directory = options.directory + "/ledger";
  log_options.compaction.min_bytes = ~uint64_t{0};
  auto log = kvs::txn::OpenFileTxnLog(log_options);
  if (!log.ok()) return log.status();
  const auto epoch = (*log)->BeginEpoch("disk_probe");
  if (!epoch.ok()) return epoch.status();
  std::vector<kvs::EncodedTransaction> transactions = Transactions(options.frame_bytes);
  uint64_t revision = 0;
  Measurement measurement(options);
  while (!measurement.IsOver()) {
    std::string list;
    const uint64_t first_revision = revision + 1;
    for (kvs::EncodedTransaction& transaction : transactions) {
      ++revision;
      transaction.Stamp(revision, 1'700'000'000'000'000 + static_cast<int64_t>(revision));
      list += transaction.bytes();
    }
    const absl::Status written = measurement.Time(list.size(), [&] {
      const auto group = (*log)->NewGroup();
      group->Add({first_revision, static_cast<uint32_t>(transactions.size()), list});
      return group->Append(*epoch);
    });
    if (!written.ok()) return written;
  }
  measurement.Print();
  const absl::Status closed = (*log)->Close();
  log->reset();
  std::filesystem::remove_all(log_options.directory);
  return closed;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Writes frames durably, one after the other.");
  app.add_option("what", options.what, "overwrite or ledger")->check(CLI::IsMember({"overwrite", "ledger"}));
  app.add_option("--dir", options.directory, "An existing directory, for files that are removed again")->required();
  app.add_option("--frame-bytes", options.frame_bytes, "Of each frame")->check(CLI::Range(512, 1 << 20));
  app.add_option("--seconds", options.seconds, "How long at most")->check(CLI::PositiveNumber);
  app.add_option("--max-bytes", options.max_bytes, "How much at most; 0 for no limit");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = options.what == "ledger" ? Ledger(options) : Overwrite(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "disk_probe: %s\n", status.ToString().c_str());
  return 1;
}
