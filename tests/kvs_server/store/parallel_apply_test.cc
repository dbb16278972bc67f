#include "kvs_server/store/parallel_apply.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

constexpr size_t kKeys = 500;

// A history of strings that grow, are removed and come back, so that its order shows in every value, by requests that
// are remembered.
class History {
 public:
  explicit History(size_t transactions) {
    std::mt19937_64 random(TestSeed());
    for (size_t i = 0; i < kKeys; ++i) keys_.push_back(absl::StrCat("key-", i));
    std::vector<uint64_t> revisions(kKeys);
    for (uint64_t revision = 1; revision <= transactions; ++revision) {
      texts_.push_back(absl::StrCat("<", revision, ">"));
      requests_.push_back(absl::StrCat("request-", revision));
      const size_t key = random() % kKeys;
      const bool removes = revisions[key] != 0 && random() % 10 == 0;
      history_.push_back({revision, key, revisions[key], removes});
      revisions[key] = removes ? 0 : revision;
    }
  }

  std::vector<Transaction> Transactions() const {
    std::vector<Transaction> transactions;
    for (const Change& change : history_) {
      Transaction& transaction = transactions.emplace_back();
      transaction.revision = change.revision;
      transaction.previous_revision = change.previous_revision;
      transaction.type = ValueType::kString;
      transaction.key = keys_[change.key];
      transaction.operation = operation::Append{texts_[change.revision - 1]};
      transaction.request = {requests_[change.revision - 1], Answer{change.revision, 1, texts_[change.revision - 1]}};
      if (change.removes) transaction.operation = operation::Delete();
    }
    return transactions;
  }

  // Every key with its revision and value, the requests that are remembered, and the newest delete.
  std::vector<std::string> StateOf(Store& store) const {
    std::vector<std::string> state;
    for (const std::string& key : keys_) {
      const size_t hash = HashKey(key);
      Shard& shard = store.shard(hash);
      MutexLock lock(&shard.mutex());
      const auto* entry = shard.table<StringValue>().Find(key, hash);
      if (entry) state.push_back(absl::StrCat(key, " ", entry->revision, " ", entry->value.view()));
    }
    store.requests().ForEach([&state](const RememberedRequest& request) {
      state.push_back(absl::StrCat(request.id, " ", request.revision, " ", request.answer.response));
    });
    uint64_t newest_delete = 0;
    for (Shard& shard : store.shards()) {
      MutexLock lock(&shard.mutex());
      newest_delete = std::max(newest_delete, shard.newest_delete());
    }
    state.push_back(absl::StrCat("deleted at ", newest_delete));
    return state;
  }

 private:
  struct Change {
    uint64_t revision;
    size_t key;
    uint64_t previous_revision;
    bool removes;
  };
  std::vector<std::string> keys_;
  std::vector<std::string> texts_;
  std::vector<std::string> requests_;
  std::vector<Change> history_;
};

// Gives transactions, so many at a time, in messages of some batches, and then an error or the end.
class Batches {
 public:
  static constexpr size_t kInMessage = 3;

  Batches(std::vector<Transaction> transactions, size_t size, absl::Status end = absl::OkStatus())
      : transactions_(std::move(transactions)), size_(size), end_(std::move(end)) {}

  absl::Status Read(std::vector<Transaction>& batch) {
    CHECK(batch.empty());
    if (next_ == transactions_.size()) return end_;
    if (in_message_++ == kInMessage) return absl::OkStatus();
    const size_t count = std::min(size_, transactions_.size() - next_);
    batch.assign(transactions_.begin() + static_cast<std::ptrdiff_t>(next_),
                 transactions_.begin() + static_cast<std::ptrdiff_t>(next_ + count));
    next_ += count;
    return absl::OkStatus();
  }

  void BeginMessage() { in_message_ = 0; }
  bool ended() const { return next_ == transactions_.size() && end_.ok(); }
  size_t read() const { return next_; }

 private:
  const std::vector<Transaction> transactions_;
  const size_t size_;
  const absl::Status end_;
  size_t next_ = 0;
  size_t in_message_ = 0;
};

// Message by message.
absl::Status ApplyAll(ParallelApply& apply, Batches& batches) {
  while (!batches.ended()) {
    batches.BeginMessage();
    const auto read = [&batches](std::vector<Transaction>& batch) { return batches.Read(batch); };
    if (absl::Status status = apply.Apply(nullptr, read); !status.ok()) return status;
  }
  return apply.Finish();
}

TEST_CASE("what several threads apply is what one would, with any sizes of batches and numbers of shards") {
  INFO("KVS_SEED=" << TestSeed());
  const History history(20'000);
  // Few enough for some to be forgotten.
  StoreBounds bounds;
  bounds.requests.count = 3000;
  Store one(8, bounds);
  for (const Transaction& transaction : history.Transactions()) REQUIRE(one.Apply(transaction).ok());
  const auto expected = history.StateOf(one);
  REQUIRE(expected.size() > kKeys / 2);
  const size_t threads = GENERATE(1, 2, 5);
  const size_t shards = GENERATE(1, 3, 64, 1000);
  const size_t size = GENERATE(1, 300, 2048, 20'000);
  INFO(threads << " threads, " << shards << " shards, " << size << " at a time");
  Store store(shards, bounds);
  ParallelApply apply(&store, threads);
  Batches batches(history.Transactions(), size);
  REQUIRE(ApplyAll(apply, batches) == absl::OkStatus());
  CHECK(history.StateOf(store) == expected);
  CHECK(store.CountKeys().keys == one.CountKeys().keys);
  CHECK(store.CountKeys().newest_revision == one.CountKeys().newest_revision);
  CHECK(store.usage().total() == one.usage().total());
}

TEST_CASE("the first hole in the history is told, and nothing is read behind the batches that were under way") {
  const History history(20'000);
  std::vector<Transaction> transactions = history.Transactions();
  const size_t hole = GENERATE(0, 5000, 19'900);
  // Others follow it, of other keys and shards.
  for (size_t i = hole; i < hole + 100; ++i) transactions[i].previous_revision = 1'000'000 + i;
  Store store(64);
  ParallelApply apply(&store, 3);
  Batches batches(transactions, 500);
  const absl::Status status = ApplyAll(apply, batches);
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(std::string(status.message()),
             ContainsText(absl::StrCat("the key's change before should be ", 1'000'000 + hole, " but is")));
  CHECK(batches.read() <= hole + 500 * ParallelApply::kBatches);
  // Goes on with what is right.
  store.Clear();
  Batches good(history.Transactions(), 500);
  CHECK(ApplyAll(apply, good) == absl::OkStatus());
}

TEST_CASE("when reading fails, that is told after all that was read was applied") {
  const History history(3000);
  Store store(64);
  ParallelApply apply(&store, 3);
  Batches batches(history.Transactions(), 1000, absl::DataLossError("no more of it"));
  CHECK(ApplyAll(apply, batches) == absl::DataLossError("no more of it"));
  Store one(64);
  for (const Transaction& transaction : history.Transactions()) REQUIRE(one.Apply(transaction).ok());
  CHECK(history.StateOf(store) == history.StateOf(one));
}

TEST_CASE("nothing to apply is applied") {
  Store store(2);
  ParallelApply apply(&store, 2);
  CHECK(apply.Apply(nullptr, [](std::vector<Transaction>&) { return absl::OkStatus(); }) == absl::OkStatus());
  CHECK(apply.Finish() == absl::OkStatus());
}

TEST_CASE("what transactions borrow from is kept until they are applied, and no longer") {
  constexpr size_t kInMessage = 500;
  const History history(40 * kInMessage);
  Store store(16);
  ParallelApply apply(&store, 3);
  const std::vector<Transaction> transactions = history.Transactions();
  std::vector<std::weak_ptr<std::vector<std::string>>> borrowed;
  for (size_t begin = 0; begin < transactions.size(); begin += kInMessage) {
    const auto keys = std::make_shared<std::vector<std::string>>();
    bool read = false;
    borrowed.push_back(keys);
    REQUIRE(apply.Apply(keys, [&](std::vector<Transaction>& batch) {
      if (std::exchange(read, true)) return absl::OkStatus();
      for (size_t i = begin; i < begin + kInMessage; ++i) keys->emplace_back(transactions[i].key);
      for (size_t i = begin; i < begin + kInMessage; ++i) {
        batch.push_back(transactions[i]);
        batch.back().key = (*keys)[i - begin];
      }
      return absl::OkStatus();
    }) == absl::OkStatus());
    for (size_t i = 0; i + ParallelApply::kBatches <= borrowed.size(); ++i) CHECK(borrowed[i].expired());
  }
  REQUIRE(apply.Finish() == absl::OkStatus());
  for (const auto& keys : borrowed) CHECK(keys.expired());
  Store one(16);
  for (const Transaction& transaction : transactions) REQUIRE(one.Apply(transaction).ok());
  CHECK(history.StateOf(store) == history.StateOf(one));
}

TEST_CASE("others may use the store while transactions are applied") {
  const History history(20'000);
  Store store(16);
  ParallelApply apply(&store, 3);
  std::atomic<bool> done = false;
  uint64_t newest = 0;
  bool goes_back = false;
  std::thread reader([&] {
    while (!done) {
      history.StateOf(store);
      const uint64_t revision = store.CountKeys().newest_revision;
      goes_back = goes_back || revision < newest;
      newest = revision;
    }
  });
  Batches batches(history.Transactions(), 1000);
  CHECK(ApplyAll(apply, batches) == absl::OkStatus());
  done = true;
  reader.join();
  CHECK_FALSE(goes_back);
  Store one(16);
  for (const Transaction& transaction : history.Transactions()) REQUIRE(one.Apply(transaction).ok());
  CHECK(history.StateOf(store) == history.StateOf(one));
}

TEST_CASE("what is under way when it is destroyed is left, and nobody waits for more") {
  const History history(20'000);
  const std::vector<Transaction> transactions = history.Transactions();
  for (size_t rounds = 0; rounds < 50; ++rounds) {
    Store store(16);
    const auto borrowed = std::make_shared<int>(0);
    {
      ParallelApply apply(&store, 4);
      Batches batches(transactions, 2048);
      batches.BeginMessage();
      const auto read = [&batches](std::vector<Transaction>& batch) { return batches.Read(batch); };
      REQUIRE(apply.Apply(borrowed, read) == absl::OkStatus());
    }
    CHECK(borrowed.use_count() == 1);
  }
}

}  // namespace
}  // namespace kvs::server
