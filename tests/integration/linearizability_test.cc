// The checker of linearizability finds what it is there for: a history is recorded from a pair that works, and one
// thing in it, or in the ledger, is made as a server that does not work would have made it.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "tests/support/catch.h"
#include "tests/support/linearizability/checker.h"
#include "tests/support/linearizability/ledger_dump.h"
#include "tests/support/linearizability/load.h"
#include "tests/support/linearizability/operations.h"
#include "tests/support/pair.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_size.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs::linearizability {
namespace {

struct Recorded {
  History history;
  Ledger ledger;

  ::txn::v1::Transaction& At(uint64_t revision) { return ledger[revision - 1]; }
};

Recorded Record() {
  const TempDir directory;
  Pair pair;
  pair.UseLog([&] {
    txn::FileTxnLogOptions options;
    options.directory = directory / "log";
    options.compaction.retention = txn::Retention::kFull;
    options.compaction.ballast_bytes = 0;
    auto log = txn::OpenFileTxnLog(options);
    REQUIRE(log.status() == absl::OkStatus());
    return *std::move(log);
  });
  pair.Start();
  LoadOptions options;
  options.server.address = absl::StrCat("127.0.0.1:", pair.kvs().port());
  options.server.plaintext = true;
  options.calls = 6000;
  options.seed = TestSeed();
  auto history = RunLoad(options);
  REQUIRE(history.status() == absl::OkStatus());
  pair.StopKvs();
  pair.StopLedger();
  auto ledger = ReadLedger(directory / "log");
  REQUIRE(ledger.status() == absl::OkStatus());
  return {*std::move(history), *std::move(ledger)};
}

// A call of one operation of this verb that was answered, taken apart.
struct Single {
  size_t index = 0;
  v1::BatchOperation operation;
  v1::BatchExecuteResponse answer;

  v1::BatchResult& result() { return *answer.mutable_results(0); }
  uint64_t revision() const {
    const std::vector<uint64_t> taken = TakenRevisions(operation, answer.results(0));
    return taken.empty() ? 0 : taken.front();
  }
};

std::vector<Single> Singles(const History& history, const std::string& verb) {
  std::vector<Single> singles;
  for (size_t i = 0; i < history.size(); ++i) {
    const Call& call = history[i];
    if (call.kind != CallKind::kSingle || call.outcome != Outcome::kAnswered) continue;
    const v1::BatchExecuteRequest request = call.Request();
    if (VerbOf(request.operations(0)) == verb) singles.push_back({i, request.operations(0), call.Answer()});
  }
  return singles;
}

// Calls of these verbs by the first revision that they took.
std::map<uint64_t, Single> ByRevision(const History& history, const std::vector<std::string>& verbs) {
  std::map<uint64_t, Single> found;
  for (const std::string& verb : verbs) {
    for (const Single& single : Singles(history, verb)) found.insert({single.revision(), single});
  }
  found.erase(0);
  return found;
}

std::optional<int64_t> IntAfter(const ::txn::v1::Transaction& transaction) {
  if (transaction.has_put()) return transaction.put().int_value();
  if (transaction.has_int_increment()) return transaction.int_increment().result();
  return std::nullopt;
}

// An alteration: the index of the call that has to be reported; nothing if the history has no place for it.
using Alter = std::function<std::optional<size_t>(Recorded&)>;

// A read is answered with the value before the one that was acknowledged when it was invoked.
std::optional<size_t> StaleRead(Recorded& recorded) {
  const auto writes = ByRevision(recorded.history, {"int_put", "int_increment"});
  for (Single& read : Singles(recorded.history, "int_get")) {
    auto& get = *read.result().mutable_int_get();
    const auto write = writes.find(get.revision());
    if (write == writes.end()) continue;
    const bool is_acknowledged =
        recorded.history[write->second.index].returned_nanos < recorded.history[read.index].invoked_nanos;
    const uint64_t before = recorded.At(get.revision()).previous_revision();
    if (!is_acknowledged || before == 0) continue;
    get.set_revision(before);
    get.set_value(*IntAfter(recorded.At(before)));
    read.answer.set_latest_revision(before);
    recorded.history[read.index].response = read.answer.SerializeAsString();
    return read.index;
  }
  return std::nullopt;
}

// An increment does not see the one before it, which is lost, in the ledger as well.
std::optional<size_t> LostWrite(Recorded& recorded) {
  const auto increments = ByRevision(recorded.history, {"int_increment"});
  for (const auto& [revision, increment] : increments) {
    const auto lost = increments.find(recorded.At(revision).previous_revision());
    if (lost == increments.end()) continue;
    const int64_t delta = lost->second.operation.int_increment().delta();
    Single altered = increment;
    auto& response = *altered.result().mutable_int_increment();
    response.set_previous(response.previous() - delta);
    response.set_value(response.value() - delta);
    auto& logged = *recorded.At(revision).mutable_int_increment();
    logged.set_result(logged.result() - delta);
    recorded.history[altered.index].response = altered.answer.SerializeAsString();
    return altered.index;
  }
  return std::nullopt;
}

// An increment that was answered once is done once more.
std::optional<size_t> DuplicateApplication(Recorded& recorded) {
  const auto increments = ByRevision(recorded.history, {"int_increment"});
  const auto& [revision, increment] = *increments.rbegin();
  ::txn::v1::Transaction again = recorded.At(revision);
  uint64_t newest = revision;
  for (const auto& transaction : recorded.ledger) {
    if (KeyOf(transaction) == KeyOf(again)) newest = transaction.revision();
  }
  const int64_t value = IntAfter(recorded.At(newest)).value_or(0);
  again.set_previous_revision(recorded.At(newest).has_delete_() ? 0 : newest);
  again.set_revision(recorded.ledger.size() + 1);
  again.mutable_int_increment()->set_result(value + again.int_increment().delta());
  recorded.ledger.push_back(again);
  return increment.index;
}

// A read is answered with what another one saw later, which was not asked for yet.
std::optional<size_t> ReadOfTheFuture(Recorded& recorded) {
  const auto writes = ByRevision(recorded.history, {"int_put", "int_increment"});
  const std::vector<Single> reads = Singles(recorded.history, "int_get");
  for (const Single& read : reads) {
    const int64_t returned = recorded.history[read.index].returned_nanos;
    for (const Single& later : reads) {
      const auto write = writes.find(later.answer.results(0).int_get().revision());
      if (later.operation.int_get().key() != read.operation.int_get().key() || write == writes.end()) continue;
      if (recorded.history[write->second.index].invoked_nanos < returned) continue;
      recorded.history[read.index].response = later.answer.SerializeAsString();
      return read.index;
    }
  }
  return std::nullopt;
}

// A read of several keys sees one change of a MultiPut or MultiIncrement, and not the other.
std::optional<size_t> HalfABatchSeen(Recorded& recorded) {
  const auto writes = ByRevision(recorded.history, {"int_multi_put", "int_multi_increment"});
  for (Single& read : Singles(recorded.history, "int_multi_get")) {
    auto& seen = *read.result().mutable_int_multi_get();
    for (int i = 0; i < seen.revisions_size(); ++i) {
      const auto write = writes.upper_bound(seen.revisions(i));
      if (write == writes.begin()) continue;
      const std::vector<uint64_t> taken =
          TakenRevisions(std::prev(write)->second.operation, std::prev(write)->second.answer.results(0));
      const auto is_of_it = [&](uint64_t revision) {
        return std::find(taken.begin(), taken.end(), revision) != taken.end();
      };
      if (std::count_if(seen.revisions().begin(), seen.revisions().end(), is_of_it) < 2) continue;
      const uint64_t before = is_of_it(seen.revisions(i)) ? recorded.At(seen.revisions(i)).previous_revision() : 0;
      if (before == 0) continue;
      seen.set_revisions(i, before);
      seen.set_values(i, *IntAfter(recorded.At(before)));
      read.answer.set_latest_revision(0);
      recorded.history[read.index].response = read.answer.SerializeAsString();
      return read.index;
    }
  }
  return std::nullopt;
}

// The ledger ends before a change that was acknowledged.
std::optional<size_t> MissingFromTheLedger(Recorded& recorded) {
  const auto puts = ByRevision(recorded.history, {"int_put", "string_put", "set_put", "map_put"});
  recorded.ledger.resize(puts.rbegin()->first - 1);
  return puts.rbegin()->second.index;
}

// A change is answered with "nothing was changed".
std::optional<size_t> RefusedAndDone(Recorded& recorded) {
  const auto puts = ByRevision(recorded.history, {"int_put"});
  const size_t index = puts.begin()->second.index;
  recorded.history[index].outcome = Outcome::kRefused;
  recorded.history[index].response =
      rpc::ToProto(Error(errors::kNotApplied, "nothing was changed")).SerializeAsString();
  return index;
}

// An atomic batch is more than one record of the ledger, which a crash may divide.
std::optional<size_t> BatchInPieces(Recorded& recorded) {
  for (size_t i = 0; i < recorded.history.size(); ++i) {
    const Call& call = recorded.history[i];
    if (call.kind != CallKind::kAtomic || call.outcome != Outcome::kAnswered) continue;
    const v1::BatchExecuteRequest request = call.Request();
    const v1::BatchExecuteResponse answer = call.Answer();
    for (int j = 0; j + 1 < request.operations_size(); ++j) {
      const auto taken = TakenRevisions(request.operations(j), answer.results(j));
      if (taken.empty() || recorded.At(taken[0]).batch_remaining() == 0) continue;
      recorded.At(taken[0]).set_batch_remaining(0);
      return i;
    }
  }
  return std::nullopt;
}

// A member is told to be in a set that it is not in, or the other way round.
std::optional<size_t> WrongAnswer(Recorded& recorded) {
  auto reads = Singles(recorded.history, "set_contains");
  if (reads.empty()) return std::nullopt;
  Single& read = reads[reads.size() / 2];
  auto& contains = *read.result().mutable_set_contains();
  contains.set_contains(!contains.contains());
  recorded.history[read.index].response = read.answer.SerializeAsString();
  return read.index;
}

struct Fault {
  const char* name;
  Alter alter;
};
const Fault kFaults[] = {
    {"a stale read", StaleRead},
    {"a lost write", LostWrite},
    {"a duplicate application", DuplicateApplication},
    {"a read of the future", ReadOfTheFuture},
    {"half a batch seen", HalfABatchSeen},
    {"an acknowledged write that the ledger does not have", MissingFromTheLedger},
    {"a change that was answered with: nothing was changed", RefusedAndDone},
    {"an atomic batch in pieces", BatchInPieces},
    {"a wrong answer", WrongAnswer},
};

bool Names(const std::vector<Violation>& violations, size_t call) {
  return std::any_of(violations.begin(), violations.end(), [call](const Violation& violation) {
    return std::find(violation.calls.begin(), violation.calls.end(), call) != violation.calls.end();
  });
}

TEST_CASE("linearizability: the checker finds what is wrong, and nothing else") {
  INFO("KVS_SEED=" << TestSeed());
  const Recorded recorded = Record();
  const Verdict verdict = Check(recorded.history, recorded.ledger);
  INFO(Describe(recorded.history, verdict.violations));
  REQUIRE(verdict.violations.empty());
  CHECK(verdict.figures.keys <= 16);
  CHECK(verdict.figures.unknown > 0);
  CHECK(verdict.figures.unknown_found > 0);

  for (const Fault& fault : kFaults) {
    Recorded altered = recorded;
    const std::optional<size_t> call = fault.alter(altered);
    INFO(fault.name);
    REQUIRE(call);
    const std::vector<Violation> violations = Check(altered.history, altered.ledger).violations;
    INFO(Describe(altered.history, {{"altered", {*call}}}) << Describe(altered.history, violations));
    CHECK(Names(violations, *call));
  }
}

TEST_CASE("linearizability: what nobody asked for is found in the ledger") {
  INFO("KVS_SEED=" << TestSeed());
  Recorded recorded = Record();
  auto& invented = recorded.ledger.emplace_back();
  invented.set_revision(recorded.ledger.size());
  invented.set_type(::txn::v1::STORE_TYPE_INT);
  invented.set_key("invented");
  invented.mutable_put()->set_int_value(1 << 30);
  const std::vector<Violation> violations = Check(recorded.history, recorded.ledger).violations;
  REQUIRE(!violations.empty());
  CHECK_THAT(violations[0].what, ContainsText("nobody asked for revision"));
}

}  // namespace
}  // namespace kvs::linearizability
