#include "kvs_server/journal/journal.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using Ended = std::vector<std::pair<uint64_t, Durability>>;

class JournalFixture {
 protected:
  absl::StatusOr<Stamp> Enqueue(size_t text_bytes = 10) {
    const std::string text(text_bytes, 'x');
    Transaction transaction;
    transaction.type = ValueType::kString;
    transaction.key = "key";
    transaction.operation = operation::Put{absl::string_view(text)};
    std::vector<EncodedTransaction> encoded;
    encoded.emplace_back(transaction);
    return journal().Enqueue(absl::MakeSpan(encoded));
  }

  // Notes how the wait for a revision ends.
  void Wait(uint64_t revision) {
    journal().WhenDurable(revision, [this, revision](Durability how) { ended_.emplace_back(revision, how); });
  }

  void Begin(JournalOptions options) { ledger_ = std::make_unique<ManualLedger>(options); }
  Journal& journal() { return ledger_->journal(); }

  std::unique_ptr<ManualLedger> ledger_ = std::make_unique<ManualLedger>();
  Ended ended_;
};

constexpr auto kDurable = Durability::kDurable;
constexpr auto kUnknown = Durability::kUnknown;

TEST_CASE_METHOD(JournalFixture, "what is enqueued is pending until it is acknowledged") {
  CHECK(Enqueue()->first_revision == 1);
  CHECK(journal().durable_revision() == 0);
  CHECK(journal().status().latest_revision == 1);
  CHECK(journal().status().pending_bytes > 0);
  ledger_->Persist();
  CHECK(journal().durable_revision() == 1);
  CHECK(journal().status().pending_bytes == 0);
}

TEST_CASE_METHOD(JournalFixture, "a wait for what is durable ends at once") {
  Wait(0);
  CHECK(ended_ == Ended{{0, kDurable}});
}

TEST_CASE_METHOD(JournalFixture, "waits end when their revision is acknowledged, and not before") {
  for (int i = 0; i < 3; ++i) REQUIRE(Enqueue().ok());
  for (const uint64_t revision : {3, 1, 2}) Wait(revision);
  CHECK(journal().status().waiting_replies == 3);
  ledger_->Receive();
  CHECK(ended_.empty());
  ledger_->PersistUpTo(2);
  CHECK(ended_ == Ended{{1, kDurable}, {2, kDurable}});
  ledger_->PersistUpTo(3);
  CHECK(ended_.back() == Ended::value_type{3, kDurable});
  CHECK(journal().status().waiting_replies == 0);
}

TEST_CASE_METHOD(JournalFixture, "an old acknowledgement changes nothing") {
  REQUIRE(Enqueue().ok());
  ledger_->Persist();
  REQUIRE(Enqueue().ok());
  CHECK(journal().Acknowledge(1));
  CHECK(journal().Acknowledge(0));
  CHECK(journal().durable_revision() == 1);
  CHECK(journal().status().pending_bytes > 0);
}

TEST_CASE_METHOD(JournalFixture, "an acknowledgement of what was never sent is refused") {
  REQUIRE(Enqueue().ok());
  CHECK_FALSE(journal().Acknowledge(1));
  CHECK(journal().durable_revision() == 0);
  ledger_->Receive();
  CHECK_FALSE(journal().Acknowledge(2));
  CHECK(journal().Acknowledge(1));
}

TEST_CASE_METHOD(JournalFixture, "mutations are taken while the link is up or was just lost, and refused otherwise") {
  for (const LedgerState state : {LedgerState::kConnected, LedgerState::kReconnecting}) {
    journal().SetState(state, "");
    CHECK(Enqueue().ok());
  }
  for (const LedgerState state :
       {LedgerState::kWaiting, LedgerState::kReplaying, LedgerState::kAway, LedgerState::kReadOnly,
        LedgerState::kRefused, LedgerState::kFenced, LedgerState::kDataLoss}) {
    journal().SetState(state, "the reason");
    const absl::Status status = Enqueue().status();
    CHECK(Is(status, errors::kNotApplied));
    CHECK_THAT(std::string(status.message()), ContainsText("the reason"));
    CHECK_THAT(std::string(status.message()),
               ContainsText(IsFinal(state) ? "save what is here with `kvs export`" : "it is safe to try again"));
    CHECK(MetadataOf(status, "until_restart") == (IsFinal(state) ? "true" : ""));
  }
  CHECK(journal().status().latest_revision == 2);
}

TEST_CASE_METHOD(JournalFixture, "waits end as unknown when the breaker opens") {
  REQUIRE(Enqueue().ok());
  Wait(1);
  journal().SetState(LedgerState::kReconnecting, "lost");
  CHECK(ended_.empty());
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(ended_ == Ended{{1, kUnknown}});
}

TEST_CASE_METHOD(JournalFixture, "while the ledger is away a wait for what is pending ends at once, as unknown") {
  REQUIRE(Enqueue().ok());
  ledger_->Persist();
  REQUIRE(Enqueue().ok());
  journal().SetState(LedgerState::kAway, "gone");
  Wait(2);
  Wait(1);
  CHECK(ended_ == Ended{{2, kUnknown}, {1, kDurable}});
}

TEST_CASE_METHOD(JournalFixture, "what was pending when the ledger went is sent unchanged when it is back") {
  REQUIRE(Enqueue().ok());
  const auto sent = journal().NextToSend();
  journal().SetState(LedgerState::kAway, "gone");
  journal().Rewind();
  journal().SetState(LedgerState::kConnected, "");
  CHECK(journal().NextToSend() == sent);
  CHECK(journal().Acknowledge(1));
}

TEST_CASE_METHOD(JournalFixture, "waits expire after max_commit_wait") {
  Begin({.max_commit_wait = absl::Hours(1)});
  REQUIRE(Enqueue().ok());
  Wait(1);
  journal().ExpireWaits(absl::Now() + absl::Minutes(59));
  CHECK(ended_.empty());
  journal().ExpireWaits(absl::Now() + absl::Minutes(61));
  CHECK(ended_ == Ended{{1, kUnknown}});
  // The mutation itself goes on.
  ledger_->Persist();
  CHECK(journal().durable_revision() == 1);
}

TEST_CASE_METHOD(JournalFixture, "abandoning ends every wait as unknown") {
  REQUIRE(Enqueue().ok());
  Wait(1);
  Wait(1);
  journal().Abandon();
  CHECK(ended_ == Ended{{1, kUnknown}, {1, kUnknown}});
  Wait(1);
  CHECK(ended_.size() == 3);
}

TEST_CASE_METHOD(JournalFixture, "past the bound of pending bytes mutations are refused until there is room") {
  Begin({.max_pending_bytes = 250});
  REQUIRE(Enqueue(100).ok());
  const absl::Status status = Enqueue(200).status();
  CHECK(Is(status, errors::kPendingWindowFull));
  CHECK(MetadataOf(status, "limit") == "250");
  CHECK(journal().status().latest_revision == 1);
  ledger_->Persist();
  CHECK(Enqueue(200)->first_revision == 2);
}

TEST_CASE_METHOD(JournalFixture, "past the bound of waiting replies mutations are refused until some have ended") {
  Begin({.max_waiting_replies = 2});
  REQUIRE(Enqueue().ok());
  Wait(1);
  REQUIRE(Enqueue().ok());
  Wait(2);
  const absl::Status status = Enqueue().status();
  CHECK(Is(status, errors::kTooManyWaiting));
  CHECK(MetadataOf(status, "limit") == "2");
  ledger_->PersistUpTo(1);
  CHECK(Enqueue()->first_revision == 3);
}

TEST_CASE("during a replay the journal follows it, and continues where it ended") {
  Journal journal((JournalOptions()));
  journal.SetLedger("log-id", 7, 20);
  journal.SetState(LedgerState::kReplaying, "replaying");
  CHECK_FALSE(journal.replayed());
  journal.Replayed(15, 5'000'000'000'000'000);
  CHECK(journal.durable_revision() == 15);
  CHECK(journal.status().replay_last_revision == 20);
  journal.Replayed(20, 6'000'000'000'000'000);  // in the year 2160
  journal.ReplayEnded();
  CHECK(journal.replayed());
  CHECK(journal.status().replay_last_revision == 0);
  CHECK(journal.status().log_id == "log-id");
  CHECK(journal.status().epoch == 7);
  CHECK(journal.status().latest_revision == 20);
}

TEST_CASE("of a snapshot the journal tells the share, and nothing of it is durable before all of it") {
  Journal journal((JournalOptions()));
  journal.SetLedger("log-id", 7, 20);
  journal.SetState(LedgerState::kReplaying, "replaying");
  CHECK(journal.status().replay_revision == 0);
  journal.ReplayedPart(4);
  CHECK(journal.status().replay_revision == 4);
  CHECK(journal.status().replay_last_revision == 20);
  CHECK(journal.status().latest_revision == 0);
  CHECK(journal.durable_revision() == 0);
  journal.Replayed(12, 6'000'000'000'000'000);
  CHECK(journal.status().replay_revision == 12);
  CHECK(journal.durable_revision() == 12);
  // Another time from the beginning.
  journal.Replayed(0, 0);
  CHECK(journal.status().replay_revision == 0);
  CHECK(journal.durable_revision() == 0);
  journal.Replayed(20, 6'000'000'000'000'000);
  journal.ReplayEnded();
  CHECK(journal.status().replay_revision == 0);
}

TEST_CASE("after a replay time goes on from the newest transaction") {
  ManualLedger ledger;
  ledger.journal().Replayed(20, 6'000'000'000'000'000);  // in the year 2160
  Transaction transaction;
  transaction.key = "key";
  std::vector<EncodedTransaction> encoded;
  encoded.emplace_back(transaction);
  const auto stamp = ledger.journal().Enqueue(absl::MakeSpan(encoded));
  CHECK(stamp->first_revision == 21);
  CHECK(stamp->time_micros == 6'000'000'000'000'000);
}

TEST_CASE_METHOD(JournalFixture, "threads get revisions without gaps, and every wait ends once") {
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> durable{0}, running{kThreads};
  std::vector<std::vector<uint64_t>> revisions(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const uint64_t revision = Enqueue()->first_revision;
        revisions[t].push_back(revision);
        journal().WhenDurable(revision, [&](Durability how) { durable += how == kDurable; });
      }
      --running;
    });
  }
  while (running > 0) ledger_->Persist();
  for (auto& thread : threads) thread.join();
  ledger_->Persist();
  std::vector<bool> seen(kThreads * kEach + 1);
  for (const auto& of_thread : revisions) {
    for (const uint64_t revision : of_thread) seen[revision] = true;
  }
  CHECK(std::count(seen.begin(), seen.end(), true) == kThreads * kEach);
  CHECK(durable == kThreads * kEach);
  CHECK(ledger_->Transactions().transactions_size() == kThreads * kEach);
}

TEST_CASE("a volatile journal takes everything at once, and keeps nothing") {
  JournalOptions options;
  options.is_volatile = true;
  options.max_pending_bytes = 100;
  Journal journal(options);
  CHECK(journal.replayed());
  CHECK(journal.status().state == LedgerState::kNone);
  int64_t time_micros = 0;
  for (uint64_t revision = 1; revision <= 10; ++revision) {
    Transaction transaction;
    transaction.key = "key";
    transaction.operation = operation::Put{int64_t{1}};
    EncodedTransaction encoded[] = {EncodedTransaction(transaction)};
    const auto stamp = journal.Enqueue(absl::MakeSpan(encoded));
    REQUIRE(stamp.ok());
    CHECK(stamp->first_revision == revision);
    CHECK(stamp->time_micros >= time_micros);
    time_micros = stamp->time_micros;
    bool durable = false;
    journal.WhenDurable(revision, [&](Durability how) { durable = how == Durability::kDurable; });
    CHECK(durable);
  }
  CHECK(journal.status().latest_revision == 10);
  CHECK(journal.status().durable_revision == 10);
  CHECK(journal.status().pending_bytes == 0);
}

}  // namespace
}  // namespace kvs::server
