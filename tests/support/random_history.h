// RandomHistory: transactions of all types as a writer might make them, and the state that they amount to.
#pragma once

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/log_state.h"
#include "tests/support/sample_frames.h"

namespace kvs::txn {

class RandomHistory {
 public:
  struct Options {
    size_t keys = 20;          // of each type
    size_t text_bytes = 40;    // of a string, a member or a field's value, at most
    size_t elements = 8;       // that one operation adds to a collection, at most
    bool compressible = true;  // whether texts repeat
  };

  RandomHistory(uint32_t seed, Options options) : options_(options), random_(seed) {}
  explicit RandomHistory(uint32_t seed) : RandomHistory(seed, Options()) {}

  // The next transaction, as an entry of a serialized txn.v1.TransactionList. A batch that is begun goes on.
  std::string Next() {
    Transaction transaction;
    transaction.revision = ++revision_;
    time_micros_ += static_cast<int64_t>(random_() % 3);
    times_.push_back(time_micros_);
    transaction.time_micros = time_micros_;
    const std::string actor = Pick(4) == 0 ? "" : absl::StrCat("spiffe://kvs/client/", Pick(3));
    transaction.actor = actor;
    transaction.type = kValueTypes[Pick(kValueTypeCount)];
    const std::string key = absl::StrCat("key-", Pick(options_.keys));
    transaction.key = key;
    const KeyState* state = state_.Find(transaction.type, key);
    transaction.previous_revision = state == nullptr ? 0 : state->revision();
    // The texts of the operation live here until it is encoded.
    texts_.clear();
    transaction.operation = MakeOperation(transaction.type, state);
    transaction.expires_at_micros = MakeExpiry(transaction.operation, state);
    if (batch_remaining_ == 0 && Pick(10) == 0)
      batch_remaining_ = static_cast<uint32_t>(1 + Pick(4));
    else if (batch_remaining_ > 0)
      --batch_remaining_;
    transaction.batch_remaining = batch_remaining_;
    const std::string request_id = MakeRequestId();
    const std::string response(Pick(20), 'r');
    transaction.request.id = request_id;
    if (!request_id.empty() && batch_remaining_ == 0) {
      transaction.request.answer = Answer{random_(), request_revisions_, response};
    }
    EncodedTransaction encoded(transaction);
    encoded.Stamp(transaction.revision, transaction.time_micros);
    REQUIRE(state_.ApplyList(encoded.bytes()) == absl::OkStatus());
    return encoded.bytes();
  }

  // About `count` transactions: batches are whole.
  SampleFrame NextFrame(uint32_t count) {
    SampleFrame frame{revision_ + 1, 0, ""};
    while (frame.count < count || batch_remaining_ > 0) {
      frame.bytes += Next();
      ++frame.count;
    }
    return frame;
  }

  // After all transactions so far.
  const LogState& state() const { return state_; }
  uint64_t revision() const { return revision_; }
  // Of a transaction; 0 of revision 0.
  int64_t TimeOf(uint64_t revision) const { return times_.at(revision); }
  size_t Pick(size_t bound) { return random_() % bound; }

 private:
  absl::string_view Text(size_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(options_.compressible ? 'a' + Pick(3) : ' ' + Pick(95));
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    return *texts_.back();
  }
  absl::string_view AnyText() { return Text(Pick(options_.text_bytes + 1)); }

  Texts NewMembers(const SetValue* set) {
    Texts members;
    for (size_t n = 1 + Pick(options_.elements); n > 0; --n) {
      const absl::string_view member = Text(1 + Pick(options_.text_bytes));
      if (set == nullptr || !set->Contains(member)) members.push_back(member);
    }
    if (members.empty()) members.push_back(Text(options_.text_bytes + 1 + Pick(100)));
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    if (set != nullptr && set->Contains(members.front())) members.clear();
    return members;
  }

  Fields NewFields() {
    Fields fields;
    for (const absl::string_view name : NewMembers(nullptr)) fields.emplace_back(name, AnyText());
    return fields;
  }

  Operation MakePut(ValueType type) {
    switch (type) {
      case ValueType::kInt:
        return operation::Put{static_cast<int64_t>(random_())};
      case ValueType::kUint:
        return operation::Put{uint64_t{random_()}};
      case ValueType::kFloat:
        return operation::Put{static_cast<double>(random_()) / 7};
      case ValueType::kString:
        return operation::Put{AnyText()};
      case ValueType::kSet:
        return operation::Put{Pick(5) == 0 ? Texts() : NewMembers(nullptr)};
      case ValueType::kMap:
        return operation::Put{Pick(5) == 0 ? Fields() : NewFields()};
    }
    return operation::Put{int64_t{0}};
  }

  static Operation MakeSetExpiry(const Value& value) {
    return std::visit(
        [](const auto& kept) {
          operation::SetExpiry set_expiry;
          if constexpr (std::is_arithmetic_v<std::decay_t<decltype(kept)>>) set_expiry.number = kept;
          return set_expiry;
        },
        value);
  }

  // A third of the batches and of the transactions that stand alone are of a request with an id; some come again.
  std::string MakeRequestId() {
    if (!in_batch_) request_ = Pick(3) == 0 ? Pick(200) + 1 : 0;
    request_revisions_ = in_batch_ ? request_revisions_ + 1 : 1;
    in_batch_ = batch_remaining_ > 0;
    return request_ == 0 ? "" : absl::StrCat("request-", request_);
  }

  // What the key's expiry is after an operation: mostly what it was, but for a put, which begins anew.
  int64_t MakeExpiry(const Operation& operation, const KeyState* state) {
    if (std::holds_alternative<operation::Delete>(operation)) return 0;
    const bool anew = std::holds_alternative<operation::Put>(operation) ||
                      std::holds_alternative<operation::SetExpiry>(operation) || Pick(8) == 0;
    if (!anew) return state == nullptr ? 0 : state->expires_at_micros();
    return Pick(3) == 0 ? time_micros_ + static_cast<int64_t>(Pick(1'000'000'000)) : 0;
  }

  // Some of what a collection has, in order.
  template <class Elements, class Name>
  Texts Some(const Elements& elements, Name name) {
    Texts some;
    for (const auto& element : elements) {
      if (some.size() < options_.elements && Pick(3) == 0) some.push_back(name(element));
    }
    return some;
  }

  Operation MakeOperation(ValueType type, const KeyState* state) {
    const size_t kind = Pick(10);
    using Cause = operation::Delete::Cause;
    if (kind == 0 && state != nullptr) {
      constexpr Cause kCauses[] = {Cause::kRequested, Cause::kRequested, Cause::kExpired, Cause::kEvicted};
      return operation::Delete{kCauses[Pick(4)]};
    }
    if (kind == 4 && state != nullptr) return MakeSetExpiry(state->value());
    if (kind <= 3) return MakePut(type);
    switch (type) {
      case ValueType::kInt: {
        const int64_t before = state == nullptr ? 0 : std::get<int64_t>(state->value());
        return operation::IntIncrement{3, before + 3};
      }
      case ValueType::kUint: {
        const uint64_t before = state == nullptr ? 0 : std::get<uint64_t>(state->value());
        if (before > 2 && Pick(2) == 0) return operation::UintIncrement{2, true, before - 2};
        return operation::UintIncrement{5, false, before + 5};
      }
      case ValueType::kFloat: {
        const double before = state == nullptr ? 0 : std::get<double>(state->value());
        return operation::FloatIncrement{0.5, before + 0.5};
      }
      case ValueType::kString:
        return operation::Append{Text(1 + Pick(options_.text_bytes))};
      case ValueType::kSet: {
        const SetValue* set = state == nullptr ? nullptr : &std::get<SetValue>(state->value());
        if (set != nullptr && Pick(3) == 0) {
          const Texts some = Some(set->members(), [](const std::string& m) { return absl::string_view(m); });
          if (!some.empty()) return operation::RemoveMembers{some};
        }
        const Texts members = NewMembers(set);
        if (members.empty()) return MakePut(type);
        return operation::AddMembers{members};
      }
      case ValueType::kMap: {
        if (state != nullptr && Pick(3) == 0) {
          const Texts some = Some(std::get<MapValue>(state->value()).fields(),
                                  [](const auto& field) { return absl::string_view(field.first); });
          if (!some.empty()) return operation::RemoveFields{some};
        }
        return operation::PutFields{NewFields()};
      }
    }
    return MakePut(type);
  }

  const Options options_;
  std::mt19937 random_;
  LogState state_;
  uint64_t revision_ = 0;
  std::vector<int64_t> times_ = {0};  // by revision
  int64_t time_micros_ = 1'700'000'000'000'000;
  uint32_t batch_remaining_ = 0;
  bool in_batch_ = false;  // whether the transaction before was not the last one of its batch
  size_t request_ = 0;     // 0 for none
  uint32_t request_revisions_ = 0;
  std::vector<std::unique_ptr<std::string>> texts_;
};

}  // namespace kvs::txn
