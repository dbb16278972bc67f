// How LedgerLink takes a replay that begins with a snapshot.
#include <absl/strings/str_cat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/model/key_state.h"
#include "common/model/transaction_codec.h"
#include "tests/kvs_server/support/link_fixture.h"
#include "tests/kvs_server/support/scripted_ledger.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

constexpr int kMembers = 600;  // of the set, which so is larger than a transaction of a snapshot may be

std::string Encode(Transaction transaction) {
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return encoded.bytes();
}

std::string PutInt(absl::string_view key, int64_t value, uint64_t revision) {
  Transaction transaction;
  transaction.revision = revision;
  transaction.type = ValueType::kInt;
  transaction.key = key;
  transaction.operation = operation::Put{value};
  return Encode(transaction);
}

// The transactions that put back a set that was last changed at `revision`.
std::vector<std::string> PutLargeSet(absl::string_view key, uint64_t revision) {
  std::vector<std::string> members;
  for (int i = 0; i < kMembers; ++i) members.push_back(absl::StrCat(100000 + i, std::string(1000, 'x')));
  Transaction put;
  put.revision = revision;
  put.type = ValueType::kSet;
  put.key = key;
  put.operation = operation::Put{Texts(members.begin(), members.end())};
  KeyState state;
  REQUIRE(state.Apply(put).ok());
  std::vector<std::string> encoded;
  state.ForEachTransaction(key, [&](const Transaction& transaction) { encoded.push_back(Encode(transaction)); });
  REQUIRE(encoded.size() > 2);
  return encoded;
}

// A snapshot of revision 7, a transaction in each part: the ints "a" = 1 and "b" = 2, and the set "s".
struct Snapshot {
  static constexpr uint64_t kRevision = 7;
  std::vector<std::string> parts;

  Snapshot() : parts(PutLargeSet("s", 6)) { parts.insert(parts.begin(), {PutInt("a", 1, 7), PutInt("b", 2, 3)}); }
  void Begin(ReplayCall& call) const { call.BeginSnapshot(kRevision, parts.size()); }
  void SendParts(ReplayCall& call) const {
    for (const std::string& part : parts) call.SendPart(part);
  }
  // All of it, the transactions up to `last`, and the end record.
  void SendAll(ReplayCall& call, uint64_t last) const {
    Begin(call);
    SendParts(call);
    call.SendAll(last);
  }
};

// For scripts, which may still run when the members of a fixture that belong to the test are gone.
const Snapshot& TheSnapshot() {
  static const Snapshot snapshot;
  return snapshot;
}

class SnapshotLink : public LinkFixture {
 protected:
  struct Found {
    int64_t value;
    uint64_t revision;
    friend bool operator==(const Found& a, const Found& b) { return a.value == b.value && a.revision == b.revision; }
  };
  std::optional<Found> Int(absl::string_view key) {
    const size_t hash = HashKey(key);
    Shard& shard = store_.shard(hash);
    MutexLock lock(&shard.mutex());
    const auto* entry = shard.table<int64_t>().Find(key, hash);
    if (!entry) return std::nullopt;
    return Found{entry->value, entry->revision};
  }
  size_t SetSize(absl::string_view key) {
    const size_t hash = HashKey(key);
    Shard& shard = store_.shard(hash);
    MutexLock lock(&shard.mutex());
    const auto* entry = shard.table<SetValue>().Find(key, hash);
    return entry ? entry->value.members().size() : 0;
  }
  uint64_t KeyCount() {
    uint64_t count = 0;
    for (const uint64_t keys : store_.CountKeys().keys) count += keys;
    return count;
  }

  void StartAndConnectFrom(std::vector<ScriptedLedger::Replay> script) {
    ledger_.OnReplay(std::move(script));
    StartAndConnect();
  }
  // The state is that of the snapshot and of the transactions 8 and 9, and what is enqueued next follows it.
  void CheckState() {
    CHECK(Int("a") == Found{1, 7});
    CHECK(Int("b") == Found{2, 3});
    CHECK(SetSize("s") == kMembers);
    CHECK(Int("key-8") == Found{1, 8});
    CHECK(Int("key-9") == Found{1, 9});
    CHECK(KeyCount() == 5);
    CHECK(ReplayedCount() == 1);
    CHECK(FatalCount() == 0);
    CHECK(journal_.durable_revision() == 9);
    CHECK(Enqueue()->first_revision == 10);
    AwaitDurable(10);
  }
  // The replay ends the attempts, says why, and nothing of it is served.
  void CheckDataLoss(ScriptedLedger::Replay replay, absl::string_view why) {
    ledger_.OnReplay({std::move(replay)});
    Start();
    const absl::Status status = AwaitFatal();
    CHECK(absl::IsDataLoss(status));
    CHECK(std::string(status.message()) == std::string(why));
    LetAttemptsBegin();
    CHECK(ReplayedCount() == 0);
    CHECK(FatalCount() == 1);
    CHECK(AttemptsSinceFatal() == 0);
    CHECK(DistinctStates() == States{LedgerState::kReplaying});
    CHECK(Is(Enqueue().status(), errors::kNotApplied));
  }
};

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot and what follows it give the state") {
  StartAndConnectFrom({[](ReplayCall& call) {
    TheSnapshot().SendAll(call, 9);
    return absl::OkStatus();
  }});
  CheckState();
  CHECK(ClearedCount() == 0);
}

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot without keys and with nothing behind it is a state") {
  const bool with_part = GENERATE(false, true);
  StartAndConnectFrom({[with_part](ReplayCall& call) {
    call.BeginSnapshot(7, 0);
    if (with_part) call.SendPart("");
    call.End(call.RightEnd());
    return absl::OkStatus();
  }});
  CHECK(KeyCount() == 0);
  CHECK(Enqueue()->first_revision == 8);
}

// Snapshots that are cut

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot that was cut is read anew, and nothing stays of the first") {
  const bool with_error = GENERATE(true, false);
  const bool complete = GENERATE(true, false);
  CAPTURE(with_error, complete);
  StartAndConnectFrom({[=](ReplayCall& call) {
                         // An older one: "gone" is deleted meanwhile, and "a" is written.
                         call.BeginSnapshot(4, complete ? 2 : 3);
                         call.SendPart(PutInt("a", 4, 2) + PutInt("gone", 4, 4));
                         return with_error ? Away() : absl::OkStatus();
                       },
                       [this](ReplayCall& call) {
                         Remember(absl::StrCat("from ", call.from()));
                         TheSnapshot().SendAll(call, 9);
                         return absl::OkStatus();
                       }});
  CheckState();
  CHECK(Notes() == std::vector<std::string>{"from 0"});
  CHECK(ClearedCount() == 1);
  CHECK(log_.Count("the replay was cut; beginning anew") == 1);
}

// A request of a snapshot.
std::string RequestPart(uint64_t revision, const std::string& id) {
  return kvs::Encode(RememberedRequest{revision, 1, "ann", id, {42, 1, "answer"}});
}

TEST_CASE_METHOD(SnapshotLink, "link: the requests of a snapshot are remembered, and none of one that was cut") {
  StartAndConnectFrom({[](ReplayCall& call) {
                         call.BeginSnapshot(4, 3);
                         call.SendPart(RequestPart(2, "cut") + PutInt("a", 4, 2));
                         return Away();
                       },
                       [](ReplayCall& call) {
                         TheSnapshot().Begin(call);
                         call.SendPart(RequestPart(5, "first"));
                         call.SendPart(RequestPart(7, "second"));
                         TheSnapshot().SendParts(call);
                         call.SendAll(9);
                         return absl::OkStatus();
                       }});
  CheckState();
  std::vector<std::string> requests;
  store_.requests().ForEach([&](const RememberedRequest& request) {
    requests.push_back(absl::StrCat(request.revision, " ", request.actor, " ", request.id, " ",
                                    request.answer.command_hash, " ", request.answer.response));
  });
  CHECK(requests == std::vector<std::string>{"5 ann first 42 answer", "7 ann second 42 answer"});
}

TEST_CASE_METHOD(SnapshotLink, "link: a replay that was cut behind its snapshot goes on from where it stopped") {
  StartAndConnectFrom({[](ReplayCall& call) {
                         TheSnapshot().Begin(call);
                         TheSnapshot().SendParts(call);
                         call.Send(8, 8);
                         return Away();
                       },
                       [this](ReplayCall& call) {
                         Remember(absl::StrCat("from ", call.from()));
                         call.SendAll(9);
                         return absl::OkStatus();
                       }});
  CheckState();
  CHECK(Notes() == std::vector<std::string>{"from 9"});
  CHECK(ClearedCount() == 0);
  CHECK(log_.Count("the replay was cut; going on from where it stopped") == 1);
}

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot that is cut again and again is told once, and attempts become rare") {
  options_.min_backoff = absl::Milliseconds(4);
  options_.max_backoff = absl::Milliseconds(32);
  const auto cut = [](ReplayCall& call) {
    call.BeginSnapshot(4, 2);
    call.SendPart(PutInt("gone", 4, 4));
    return Away();
  };
  StartAndConnectFrom({cut, cut, cut, cut, cut, [](ReplayCall& call) {
                         TheSnapshot().SendAll(call, 9);
                         return absl::OkStatus();
                       }});
  CheckState();
  CHECK(log_.Count("the replay was cut") == 1);
  const std::vector<absl::Time> replays = ledger_.replays();
  REQUIRE(replays.size() == 6);
  CHECK(replays[5] - replays[4] >= options_.max_backoff / 2);
}

TEST_CASE_METHOD(SnapshotLink, "link: a replay whose rest was compacted away meanwhile begins anew") {
  const bool from_snapshot = GENERATE(false, true);
  CAPTURE(from_snapshot);
  StartAndConnectFrom({[from_snapshot](ReplayCall& call) {
                         if (from_snapshot) {
                           call.BeginSnapshot(2, 1);
                           call.SendPart(PutInt("gone", 4, 2));
                         }
                         call.SendRest(3);
                         return Away();
                       },
                       [this](ReplayCall& call) {
                         Remember(absl::StrCat("from ", call.from()));
                         return Error(errors::kCompacted, "up to revision 7 only the state is known");
                       },
                       [this](ReplayCall& call) {
                         Remember(absl::StrCat("from ", call.from()));
                         TheSnapshot().SendAll(call, 9);
                         return absl::OkStatus();
                       }});
  CheckState();
  CHECK(Notes() == std::vector<std::string>{"from 4", "from 0"});
  CHECK(ClearedCount() == 1);
  CHECK(log_.Count("the replay was cut; beginning anew") == 1);
  CHECK(log_.Count("up to revision 7 only the state is known") == 1);
}

// Snapshots that are wrong

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot that lacks a transaction is data loss") {
  const bool followed = GENERATE(true, false);
  CheckDataLoss(
      [=](ReplayCall& call) {
        call.BeginSnapshot(7, 3);
        call.SendPart(PutInt("a", 1, 7) + PutInt("b", 2, 3));
        if (followed) call.Send(8, 9);
        call.End(call.RightEnd());
        return absl::OkStatus();
      },
      "the snapshot of revision 7 had 2 transactions instead of 3");
}

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot with more than was announced is data loss") {
  CheckDataLoss(
      [](ReplayCall& call) {
        call.BeginSnapshot(7, 1);
        call.SendPart(PutInt("a", 1, 7));
        call.SendPart(PutInt("b", 2, 3));
        call.SendAll(9);
        return absl::OkStatus();
      },
      "the snapshot of revision 7 had 2 transactions instead of 1");
  CHECK(Int("b") == std::nullopt);
}

TEST_CASE_METHOD(SnapshotLink, "link: the parts of a collection in another order are data loss") {
  CheckDataLoss(
      [](ReplayCall& call) {
        Snapshot wrong = TheSnapshot();
        std::swap(wrong.parts[2], wrong.parts[3]);
        wrong.SendAll(call, 9);
        return absl::OkStatus();
      },
      "the ledger is not the history of this state: at revision 6 (set), the key's change before should be 6 but is "
      "0");
}

TEST_CASE_METHOD(SnapshotLink, "link: a transaction that does not follow is data loss, though nothing comes after it") {
  CheckDataLoss(
      [](ReplayCall& call) {
        call.SendBytes(absl::StrCat(PutInt("a", 1, 1), PutInt("a", 2, 2)));
        ::txn::v1::ReplayEnd end = call.RightEnd();
        end.set_last_revision(2);
        end.set_count(2);
        call.End(end);
        return absl::OkStatus();
      },
      "the ledger is not the history of this state: at revision 2 (int), the key's change before should be 0 but is 1");
}

TEST_CASE_METHOD(SnapshotLink, "link: of two kinds of data loss the first one in the history is told") {
  CheckDataLoss(
      [](ReplayCall& call) {
        call.SendBytes(absl::StrCat(PutInt("a", 1, 1), PutInt("a", 2, 2)));
        call.End(call.RightEnd());
        return absl::OkStatus();
      },
      "the ledger is not the history of this state: at revision 2 (int), the key's change before should be 0 but is 1");
}

TEST_CASE_METHOD(SnapshotLink, "link: a part that came twice is data loss") {
  CheckDataLoss(
      [](ReplayCall& call) {
        Snapshot wrong = TheSnapshot();
        wrong.parts[1] = wrong.parts[0];
        wrong.SendAll(call, 9);
        return absl::OkStatus();
      },
      "the ledger is not the history of this state: at revision 7 (int), the key's change before should be 0 but is "
      "7");
}

TEST_CASE_METHOD(SnapshotLink, "link: parts that came in another order than they were sent are data loss") {
  CheckDataLoss(
      [](ReplayCall& call) {
        const std::string parts[] = {PutInt("a", 1, 7), PutInt("b", 2, 3)};
        call.BeginSnapshot(7, 2);
        call.SendPart(parts[1]);
        call.SendPart(parts[0]);
        ::txn::v1::ReplayEnd end = call.RightEnd();
        end.set_crc32c(ExtendCrc32c(ExtendCrc32c(0, parts[0]), parts[1]));
        call.End(end);
        return absl::OkStatus();
      },
      "the replay from revision 0 ended at 7 with 0 transactions, but the ledger sent 0 up to 7, or other bytes");
}

TEST_CASE_METHOD(SnapshotLink, "link: an end record that differs from the snapshot that came is data loss") {
  const int wrong = GENERATE(0, 1, 2);
  CAPTURE(wrong);
  const char* const sent[] = {"0 up to 7", "1 up to 7", "0 up to 8"};
  CheckDataLoss(
      [wrong](ReplayCall& call) {
        TheSnapshot().Begin(call);
        TheSnapshot().SendParts(call);
        ::txn::v1::ReplayEnd end = call.RightEnd();
        if (wrong == 0) end.set_crc32c(end.crc32c() + 1);
        if (wrong == 1) end.set_count(end.count() + 1);
        if (wrong == 2) end.set_last_revision(end.last_revision() + 1);
        call.End(end);
        return absl::OkStatus();
      },
      absl::StrCat("the replay from revision 0 ended at 7 with 0 transactions, but the ledger sent ", sent[wrong],
                   ", or other bytes"));
}

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot that holds what cannot be in it is data loss") {
  SECTION("a revision after its own") {
    CheckDataLoss(
        [](ReplayCall& call) {
          call.BeginSnapshot(7, 1);
          call.SendPart(PutInt("a", 1, 8));
          call.End(call.RightEnd());
          return absl::OkStatus();
        },
        "the snapshot of revision 7 holds a transaction of revision 8");
  }
  SECTION("a request of a revision after its own") {
    CheckDataLoss(
        [](ReplayCall& call) {
          call.BeginSnapshot(7, 0);
          call.SendPart(RequestPart(8, "later"));
          call.End(call.RightEnd());
          return absl::OkStatus();
        },
        "the snapshot of revision 7 cannot be read: it holds a request of revision 8");
  }
  SECTION("no transaction") {
    ::txn::v1::TransactionList list;
    list.add_transactions()->set_revision(7);
    const std::string part = list.SerializeAsString();
    CheckDataLoss(
        [part](ReplayCall& call) {
          call.BeginSnapshot(7, 1);
          call.SendPart(part);
          call.End(call.RightEnd());
          return absl::OkStatus();
        },
        "the snapshot of revision 7 cannot be read: a stored transaction has no key");
  }
  SECTION("bytes that are no message") {
    CheckDataLoss(
        [](ReplayCall& call) {
          call.BeginSnapshot(7, 1);
          call.SendPart("\xFF\xFF");
          call.End(call.RightEnd());
          return absl::OkStatus();
        },
        "the snapshot of revision 7 cannot be read: these bytes are no list of transactions");
  }
}

TEST_CASE_METHOD(SnapshotLink, "link: frames that do not follow the snapshot are data loss") {
  const uint64_t next = GENERATE(uint64_t{7}, uint64_t{9});
  CheckDataLoss(
      [next](ReplayCall& call) {
        TheSnapshot().Begin(call);
        TheSnapshot().SendParts(call);
        call.Send(next, next);
        call.End(call.RightEnd());
        return absl::OkStatus();
      },
      absl::StrCat("the replay jumps from revision 7 to ", next));
}

TEST_CASE_METHOD(SnapshotLink, "link: a snapshot that nobody asked for is data loss") {
  const std::string message = "the ledger sent a snapshot that nobody asked for";
  SECTION("inside of another") {
    CheckDataLoss(
        [](ReplayCall& call) {
          TheSnapshot().Begin(call);
          TheSnapshot().SendAll(call, 9);
          return absl::OkStatus();
        },
        message);
  }
  SECTION("behind transactions") {
    CheckDataLoss(
        [](ReplayCall& call) {
          call.Send(1, 1);
          TheSnapshot().SendAll(call, 9);
          return absl::OkStatus();
        },
        message);
  }
  SECTION("where the rest was asked for") {
    CheckDataLoss(
        [](ReplayCall& call) {
          if (call.from() == 0) {
            call.Send(1, 1);
            return Away();
          }
          TheSnapshot().SendAll(call, 9);
          return absl::OkStatus();
        },
        message);
  }
}

TEST_CASE_METHOD(SnapshotLink, "link: a part that belongs to no snapshot is data loss") {
  const bool behind = GENERATE(false, true);
  CheckDataLoss(
      [behind](ReplayCall& call) {
        if (behind) {
          TheSnapshot().Begin(call);
          TheSnapshot().SendParts(call);
          call.Send(8, 8);
        }
        call.SendPart(PutInt("z", 1, 7));
        call.End(call.RightEnd());
        return absl::OkStatus();
      },
      "the ledger sent a part of a snapshot that it did not announce");
}

// The end

TEST_CASE_METHOD(SnapshotLink, "link: stops while a new beginning is put off, and forgets nothing") {
  options_.min_backoff = options_.max_backoff = absl::Milliseconds(100);
  ledger_.OnReplay({[](ReplayCall& call) {
    call.BeginSnapshot(4, 2);
    call.SendPart(PutInt("a", 4, 4));
    return Away();
  }});
  Start();
  REQUIRE(log_.Await("the replay was cut; beginning anew"));
  Stop();
  LetAttemptsBegin();
  CHECK(ClearedCount() == 0);
  CHECK(channels_ == 1);
}

}  // namespace
}  // namespace kvs::server
