// Keys that expire: what the engine makes of them, with a clock that the test sets.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/engine/verbs.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/kvs_server/support/scan_all.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using Types = std::vector<ValueType>;
const Types kEveryType(kValueTypes.begin(), kValueTypes.end());
constexpr int64_t kSecond = 1'000'000;

class ExpiryFixture {
 protected:
  void Pass(int64_t micros) { now_ += absl::Microseconds(micros); }
  int64_t NowMicros() const { return absl::ToUnixMicros(now_); }

  Outcome Put(const std::string& key, int64_t value, MutationOptions options = {}) {
    return engine_.Mutate<int64_t>("somebody", key, options,
                                   [&](const int64_t* current) -> absl::StatusOr<std::optional<Operation>> {
                                     found_ = current ? std::optional<int64_t>(*current) : std::nullopt;
                                     return Operation(operation::Put{value});
                                   });
  }
  Outcome PutFor(const std::string& key, int64_t ttl_micros) { return Put(key, 41, {{}, ttl_micros}); }
  Outcome Increment(const std::string& key, int64_t delta, int64_t ttl_micros = 0) {
    return engine_.Mutate<int64_t>("", key, {{}, ttl_micros},
                                   [delta](const int64_t* current) -> absl::StatusOr<std::optional<Operation>> {
                                     auto result = verbs::Increment(current, delta);
                                     if (!result.ok()) return result.status();
                                     return std::move(result->operation);
                                   });
  }
  std::optional<int64_t> Get(const std::string& key) {
    std::optional<int64_t> found;
    observed_ = engine_
                    .Read<int64_t>(key,
                                   [&](const int64_t* value) {
                                     if (value) found = *value;
                                     return absl::OkStatus();
                                   })
                    .observed_revision;
    return found;
  }
  bool Exists(const std::string& key) {
    Types present;
    observed_ = engine_.Exists(key, kEveryType, &present).observed_revision;
    return !present.empty();
  }
  size_t Listed() {
    const auto scanner = OpenScanner(store_, ledger_.journal());
    observed_ = scanner->revision();
    return ReadAll(*scanner).size();
  }
  // What is left of the key's time in microseconds, 0 if it lives for ever, nothing if it is absent.
  std::optional<int64_t> Left(const std::string& key) {
    std::vector<Expiry> expiries;
    engine_.GetExpiry(key, {ValueType::kInt}, &expiries);
    if (expiries.empty()) return std::nullopt;
    if (expiries[0].at_micros == 0) return 0;
    CHECK(expiries[0].at_micros - NowMicros() == expiries[0].ttl_micros);
    return expiries[0].ttl_micros;
  }
  Outcome SetExpiry(const std::string& key, int64_t ttl_micros, Precondition precondition = {},
                    const Types& types = kEveryType) {
    changed_.clear();
    int64_t at = 0;
    Outcome outcome = engine_.SetExpiry("", key, types, {precondition, ttl_micros}, &changed_, &at);
    CHECK(at == (ttl_micros == 0 ? 0 : NowMicros() + ttl_micros));
    return outcome;
  }

  // What went to the ledger, one line each.
  std::vector<std::string> Log() {
    ledger_.Receive();
    std::vector<std::string> lines;
    const ::txn::v1::TransactionList list = ledger_.Transactions();
    for (const auto& transaction : list.transactions()) {
      std::string line = transaction.key() + " after " + std::to_string(transaction.previous_revision());
      if (transaction.has_delete_()) line += " " + ::txn::v1::Delete::Cause_Name(transaction.delete_().cause());
      if (transaction.has_put()) line += " put";
      if (transaction.has_int_increment()) line += " increment";
      if (transaction.has_set_expiry())
        line += " set_expiry " + std::to_string(transaction.set_expiry().number().int_value());
      if (transaction.expires_at_micros() != 0) {
        line += " +" + std::to_string((transaction.expires_at_micros() - start_) / kSecond) + " s";
      }
      if (!transaction.actor().empty()) line += " by " + transaction.actor();
      lines.push_back(std::move(line));
    }
    return lines;
  }

  absl::Time now_ = absl::FromUnixMicros(1'700'000'000 * kSecond);
  const int64_t start_ = absl::ToUnixMicros(now_);
  ManualLedger ledger_{[this] {
    JournalOptions options;
    options.clock = [this] { return now_; };
    return options;
  }()};
  Store store_{8};
  Engine engine_{&store_, &ledger_.journal()};
  std::optional<int64_t> found_;  // by the last put
  uint64_t observed_ = 0;         // by the last read
  Types changed_;                 // by the last SetExpiry
};

TEST_CASE_METHOD(ExpiryFixture, "a key is there until its time has come, and for no reader afterwards") {
  PutFor("k", 2 * kSecond);
  Pass(2 * kSecond - 1);
  CHECK(Get("k") == 41);
  CHECK(Exists("k"));
  CHECK(Listed() == 1);
  CHECK(Left("k") == 1);
  Pass(1);
  CHECK_FALSE(Get("k").has_value());
  CHECK(observed_ == 1);
  CHECK_FALSE(Exists("k"));
  CHECK(observed_ == 1);
  CHECK(Listed() == 0);
  CHECK(observed_ == 1);
  CHECK_FALSE(Left("k").has_value());
  CHECK(Log() == std::vector<std::string>{"k after 0 put +2 s by somebody"});
}

TEST_CASE_METHOD(ExpiryFixture, "a clock that is set back resurrects nothing") {
  PutFor("k", 2 * kSecond);
  Pass(2 * kSecond);
  CHECK_FALSE(Get("k").has_value());
  Pass(-3600 * kSecond);
  CHECK_FALSE(Get("k").has_value());
  CHECK(engine_.Expire(10) == 2);
  CHECK_FALSE(Get("k").has_value());
  // Time stands still until the clock has caught up.
  PutFor("other", kSecond);
  CHECK(Get("other") == 41);
  Pass(3600 * kSecond);
  CHECK(Get("other") == 41);
  Pass(kSecond);
  CHECK_FALSE(Get("other").has_value());
}

TEST_CASE_METHOD(ExpiryFixture, "the time of the newest transaction counts, also where the clock is behind it") {
  Transaction transaction;
  transaction.revision = 1;
  transaction.type = ValueType::kInt;
  transaction.key = "k";
  transaction.operation = operation::Put{ValueView(int64_t{41})};
  transaction.expires_at_micros = start_ + 10 * kSecond;
  REQUIRE(store_.Apply(transaction).ok());
  CHECK(Get("k") == 41);
  ledger_.journal().Replayed(1, start_ + 10 * kSecond);
  CHECK_FALSE(Get("k").has_value());
}

TEST_CASE_METHOD(ExpiryFixture, "a put without a time makes a key live for ever, every other verb leaves its expiry") {
  PutFor("k", 2 * kSecond);
  Increment("k", 1);
  CHECK(Left("k") == 2 * kSecond);
  Increment("k", 1, 5 * kSecond);
  CHECK(Left("k") == 5 * kSecond);
  Put("k", 1);
  CHECK(Left("k") == 0);
  Pass(100 * kSecond);
  CHECK(Get("k") == 1);
  CHECK(engine_.Expire(10) == 0);
  CHECK(Log() == std::vector<std::string>{"k after 0 put +2 s by somebody", "k after 1 increment +2 s",
                                          "k after 2 increment +5 s", "k after 3 put by somebody"});
}

TEST_CASE_METHOD(ExpiryFixture, "a verb that changes no value still sets how long the key lives") {
  Put("k", 41);
  const Outcome outcome = Increment("k", 0, 5 * kSecond);
  CHECK(outcome.logged);
  CHECK(outcome.revision == 2);
  CHECK(Left("k") == 5 * kSecond);
  CHECK(Get("k") == 41);
  CHECK(Log().back() == "k after 1 set_expiry 41 +5 s");
  CHECK_FALSE(Increment("absent", 0, 5 * kSecond).logged);
}

TEST_CASE_METHOD(ExpiryFixture, "a mutation of an expired key logs its removal first, and begins with nothing") {
  PutFor("k", 2 * kSecond);
  Pass(3 * kSecond);
  const Outcome outcome = Increment("k", 7);
  CHECK(outcome.revision == 3);
  CHECK(Get("k") == 7);
  CHECK(Left("k") == 0);
  CHECK(Log() ==
        std::vector<std::string>{"k after 0 put +2 s by somebody", "k after 1 CAUSE_EXPIRED", "k after 0 increment"});
}

TEST_CASE_METHOD(ExpiryFixture, "to preconditions and deletes an expired key is absent") {
  PutFor("k", 2 * kSecond);
  Pass(2 * kSecond);
  CHECK(Is(Put("k", 1, {Precondition::MustExist(), 0}).status, errors::kKeyNotFound));
  CHECK(Is(Put("k", 1, {Precondition::RevisionEquals(1), 0}).status, errors::kRevisionMismatch));
  Types deleted;
  const Outcome outcome = engine_.Delete("", "k", kEveryType, {}, &deleted);
  CHECK(deleted.empty());
  CHECK_FALSE(outcome.logged);
  CHECK(outcome.revision == 0);
  CHECK(Log().size() == 1);
  CHECK(Put("k", 1, {Precondition::MustNotExist(), 0}).status.ok());
  CHECK_FALSE(found_.has_value());
}

TEST_CASE_METHOD(ExpiryFixture, "expiries are set and taken back in the types where the key is, in one record") {
  Put("k", 41);
  engine_.Mutate<StringValue>("", "k", {}, [](const StringValue*) -> absl::StatusOr<std::optional<Operation>> {
    return Operation(operation::Put{absl::string_view("text")});
  });
  CHECK(SetExpiry("k", 5 * kSecond).revision == 4);
  CHECK(changed_ == Types{ValueType::kInt, ValueType::kString});
  CHECK(Left("k") == 5 * kSecond);
  CHECK(SetExpiry("k", 0, {}, {ValueType::kInt}).revision == 5);
  CHECK(changed_ == Types{ValueType::kInt});
  CHECK(Left("k") == 0);
  // What lives for ever already is left alone.
  const Outcome nothing = SetExpiry("k", 0, {}, {ValueType::kInt});
  CHECK_FALSE(nothing.logged);
  CHECK(nothing.revision == 5);
  CHECK(changed_.empty());
  CHECK(SetExpiry("k", 0).revision == 6);
  CHECK(changed_ == Types{ValueType::kString});
  CHECK_FALSE(SetExpiry("absent", 5 * kSecond).logged);
  CHECK(Is(SetExpiry("absent", 5 * kSecond, Precondition::MustExist()).status, errors::kKeyNotFound));
}

TEST_CASE_METHOD(ExpiryFixture, "removals are logged a few at a time, and only when their time has come") {
  for (int i = 0; i < 50; ++i) PutFor("due-" + std::to_string(i), 1 * kSecond);
  for (int i = 0; i < 50; ++i) PutFor("later-" + std::to_string(i), 2 * kSecond);
  CHECK(engine_.Expire(1000) == 0);
  Pass(kSecond);
  uint64_t last = 100;
  int removed = 0;
  while (const uint64_t revision = engine_.Expire(7)) {
    CHECK(revision - last <= 7);
    removed += static_cast<int>(revision - last);
    last = revision;
  }
  CHECK(removed == 50);
  CHECK(Listed() == 50);
  std::array<uint64_t, kValueTypeCount> keys{};
  engine_.Count(&keys);
  CHECK(keys[0] == 50);
  for (const std::string& line : Log()) {
    if (line.find("later") == 0) CHECK(line.find("CAUSE_EXPIRED") == std::string::npos);
  }
}

TEST_CASE_METHOD(ExpiryFixture, "nothing is removed while the ledger takes nothing, and readers see none of it") {
  PutFor("k", kSecond);
  Pass(kSecond);
  ledger_.journal().SetState(LedgerState::kAway, "away");
  CHECK(engine_.Expire(10) == 0);
  CHECK_FALSE(Get("k").has_value());
  ledger_.journal().SetState(LedgerState::kConnected, "");
  CHECK(engine_.Expire(10) == 2);
}

TEST_CASE_METHOD(ExpiryFixture, "many expired keys in a row do not hide those behind them from a list") {
  for (int i = 0; i < 1000; ++i) PutFor("a" + std::to_string(i), kSecond);
  Put("b", 1);
  Pass(kSecond);
  CHECK(Listed() == 1);
  CHECK(observed_ == 1001);
}

}  // namespace
}  // namespace kvs::server
