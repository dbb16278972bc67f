// Writes to a ledger through TxnLog alone: what the disk, the frames and the compaction, or PostgreSQL, cost without
// the servers around it.
#include <absl/container/flat_hash_map.h>
#include <absl/time/clock.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/model/transaction_codec.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace {

struct Options {
  std::string directory;
  std::string postgres_url;
  bool mixed = false;
  double seconds = 1e9;
  uint64_t transactions = 1'000'000;
  uint64_t keys = 1'000'000;
  uint32_t group = 100;
  uint64_t compaction_min_bytes = kvs::kDefaultCompactionMinBytes;
  uint64_t pause_micros = 0;
  bool sequential = false;
};

constexpr char kText[] = "sixteen bytes...";

// A put of each type in turn, or of ints, with the previous revisions that belong to them.
class History {
 public:
  explicit History(const Options& options)
      : options_(options), revisions_(options.keys * (options.mixed ? kvs::kValueTypeCount : 1)) {}

  std::string NextGroup() {
    std::string list;
    for (uint32_t i = 0; i < options_.group; ++i) Add(&list);
    return list;
  }

 private:
  void Add(std::string* list) {
    const uint64_t key = options_.sequential ? revision_ % options_.keys : random_() % options_.keys;
    char name[25];
    std::snprintf(name, sizeof(name), "key:%012llu", static_cast<unsigned long long>(key));
    kvs::Transaction transaction;
    transaction.revision = ++revision_;
    if (options_.mixed) transaction.type = kvs::kValueTypes[revision_ % kvs::kValueTypeCount];
    transaction.time_micros = 1'700'000'000'000'000 + static_cast<int64_t>(revision_);
    uint64_t& last = revisions_[static_cast<size_t>(transaction.type) * options_.keys + key];
    transaction.previous_revision = std::exchange(last, revision_);
    transaction.actor = "spiffe://kvs/client/bench";
    transaction.key = name;
    transaction.operation = kvs::operation::Put{ValueOf(transaction.type)};
    kvs::EncodedTransaction encoded(transaction);
    encoded.Stamp(transaction.revision, transaction.time_micros);
    *list += encoded.bytes();
  }

  kvs::ValueView ValueOf(kvs::ValueType type) const {
    switch (type) {
      case kvs::ValueType::kInt:
        return static_cast<int64_t>(revision_);
      case kvs::ValueType::kUint:
        return revision_;
      case kvs::ValueType::kFloat:
        return static_cast<double>(revision_) / 3;
      case kvs::ValueType::kString:
        return absl::string_view(kText);
      case kvs::ValueType::kSet:
        return kvs::Texts{"first member", "second member"};
      case kvs::ValueType::kMap:
        return kvs::Fields{{"first field", kText}, {"second field", kText}};
    }
    return int64_t{0};
  }

  const Options options_;
  std::mt19937_64 random_{1};
  uint64_t revision_ = 0;
  std::vector<uint64_t> revisions_;  // by type and key
};

// A group, and the bytes that it refers to.
struct ReadyGroup {
  std::string list;
  std::unique_ptr<kvs::txn::LogGroup> group;
};

uint64_t DirectoryBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const uint64_t size = entry.file_size(error);
    if (!error) bytes += size;
  }
  return bytes;
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Reads the state as a start does.
absl::Status ReadState(kvs::txn::TxnLog& log) {
  const absl::Time begin = absl::Now();
  auto state = log.ReplayState();
  if (!state.ok()) return state.status();
  uint64_t bytes = 0;
  while (state->snapshot) {
    const auto chunk = state->snapshot->Next();
    if (!chunk.ok()) return chunk.status();
    if (!*chunk) break;
    bytes += (*chunk)->transactions.size();
  }
  uint64_t transactions = 0;
  while (true) {
    const auto frame = state->tail->Next();
    if (!frame.ok()) return frame.status();
    if (!*frame) break;
    transactions += (*frame)->count;
  }
  std::printf("state: snapshot_bytes=%llu tail_transactions=%llu seconds=%.2f\n",
              static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(transactions),
              absl::ToDoubleSeconds(absl::Now() - begin));
  return absl::OkStatus();
}

int Run(const Options& options) {
  kvs::txn::FileTxnLogOptions log_options;
  log_options.directory = options.directory;
  log_options.compaction.min_bytes = options.compaction_min_bytes;
  log_options.notice = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  std::atomic<uint64_t> snapshots = 0;
  std::atomic<double> snapshot_seconds = 0;
  std::atomic<uint64_t> last_bytes = 0;
  log_options.compacted = [&](const kvs::txn::CompactionReport& report) {
    ++snapshots;
    snapshot_seconds = snapshot_seconds + absl::ToDoubleSeconds(report.duration);
    last_bytes = report.snapshot.header.file_bytes;
  };
  kvs::txn::PostgresTxnLogOptions postgres_options;
  postgres_options.url = options.postgres_url;
  postgres_options.notice = log_options.notice;
  auto log = options.postgres_url.empty() ? kvs::txn::OpenFileTxnLog(log_options)
                                          : kvs::txn::OpenPostgresTxnLog(postgres_options);
  if (!log.ok()) return std::fprintf(stderr, "%s\n", log.status().ToString().c_str()), 1;
  const auto epoch = (*log)->BeginEpoch("ledger_load");
  History history(options);
  std::printf("before: peak_rss=%.0fMB\n", PeakMegabytes());
  std::vector<double> latencies;
  uint64_t largest = 0;
  absl::Duration writing;
  uint64_t revision = 1;
  const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
  const auto make_ready = [&](uint64_t first_revision) {
    auto ready = std::make_unique<ReadyGroup>();
    ready->list = history.NextGroup();
    ready->group = (*log)->NewGroup();
    ready->group->Add(kvs::txn::Frame{first_revision, options.group, ready->list});
    return ready;
  };
  // As txn_server does: the next group is made ready while one is appended. For a file that is no work worth a thread.
  const auto policy = options.postgres_url.empty() ? std::launch::deferred : std::launch::async;
  auto next = std::async(policy, make_ready, revision);
  for (; revision <= options.transactions && absl::Now() < end; revision += options.group) {
    const absl::Time begin = absl::Now();
    const auto ready = next.get();
    next = std::async(policy, make_ready, revision + options.group);
    const absl::Status status = ready->group->Append(*epoch);
    if (!status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
    const absl::Duration took = absl::Now() - begin;
    writing += took;
    latencies.push_back(absl::ToDoubleMicroseconds(took));
    if (latencies.size() % 1000 == 0) largest = std::max(largest, DirectoryBytes(options.directory));
    if (options.pause_micros > 0) absl::SleepFor(absl::Microseconds(options.pause_micros));
  }
  next = {};
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double q) {
    return latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))];
  };
  std::printf("append: transactions/s=%.0f p50=%.0fus p99=%.0fus p99.9=%.0fus max=%.0fus\n",
              static_cast<double>(revision - 1) / absl::ToDoubleSeconds(writing), at(0.5), at(0.99), at(0.999), at(1));
  std::printf("snapshots=%llu seconds=%.2f last_bytes=%llu largest_directory=%.1fMB peak_rss=%.0fMB\n",
              static_cast<unsigned long long>(snapshots), snapshot_seconds.load(),
              static_cast<unsigned long long>(last_bytes), static_cast<double>(largest) / 1e6, PeakMegabytes());
  const absl::Time idle_since = absl::Now();
  absl::Status status = (*log)->Idle();
  if (!status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  for (uint64_t made = snapshots; options.postgres_url.empty() && absl::Now() < idle_since + absl::Minutes(1);
       absl::SleepFor(absl::Seconds(3))) {
    const kvs::txn::LogPosition position = (*log)->position();
    if (position.snapshot_revision == position.durable_revision && made == snapshots) break;
    made = snapshots;
  }
  std::printf("idle for %.1fs: directory=%.1fMB snapshot_revision=%llu peak_rss=%.0fMB\n",
              absl::ToDoubleSeconds(absl::Now() - idle_since),
              static_cast<double>(DirectoryBytes(options.directory)) / 1e6,
              static_cast<unsigned long long>((*log)->position().snapshot_revision), PeakMegabytes());
  if (status = ReadState(**log); !status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  return (*log)->Close().ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Writes puts to a ledger and tells throughput, latencies, memory and disk use.");
  app.add_option("--dir", options.directory, "A directory that does not exist yet, of a file ledger");
  app.add_option("--postgres-url", options.postgres_url, "An empty database, of a ledger in PostgreSQL");
  app.add_option("--seconds", options.seconds, "How long at most");
  app.add_flag("--mixed", options.mixed, "Put all types in turn, each over that many keys");
  app.add_option("--transactions", options.transactions, "How many");
  app.add_option("--keys", options.keys, "Over how many keys");
  app.add_option("--group", options.group, "Transactions in a group commit");
  app.add_option("--compaction-min-bytes", options.compaction_min_bytes, "As --compaction-min-size of txn_server");
  app.add_option("--pause-micros", options.pause_micros, "Between two group commits");
  app.add_flag("--sequential", options.sequential, "Take the keys in turn");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
