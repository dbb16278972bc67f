#include "kvs_server/journal/pending_window.h"

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using Frame = PendingWindow::Frame;

class WindowFixture {
 protected:
  // A mutation of one put whose encoded form is a little over `text_bytes`, or a batch of several.
  static std::vector<EncodedTransaction> Mutation(size_t text_bytes, size_t count = 1) {
    const std::string text(text_bytes, 'x');
    std::vector<EncodedTransaction> encoded;
    for (size_t i = 0; i < count; ++i) {
      Transaction transaction;
      transaction.type = ValueType::kString;
      transaction.key = "key";
      transaction.batch_remaining = static_cast<uint32_t>(count - 1 - i);
      transaction.operation = operation::Put{absl::string_view(text)};
      encoded.emplace_back(transaction);
    }
    return encoded;
  }

  Stamp Add(size_t text_bytes = 10, size_t count = 1, int64_t now_micros = 1000) {
    auto encoded = Mutation(text_bytes, count);
    return window_.Add(absl::MakeSpan(encoded), now_micros);
  }

  // The transactions of a frame, as every reader decodes them.
  static std::vector<::txn::v1::Transaction> Decoded(const Frame& frame) {
    ::txn::v1::TransactionList list;
    REQUIRE(list.ParseFromString(frame.transactions));
    REQUIRE(list.transactions_size() == static_cast<int>(frame.count));
    return {list.transactions().begin(), list.transactions().end()};
  }

  // First and last revision of the next frame; nothing where there is none.
  std::pair<uint64_t, uint64_t> Send() {
    const auto frame = window_.NextToSend();
    if (!frame) return {0, 0};
    return {frame->first_revision, frame->last_revision()};
  }

  using Range = std::pair<uint64_t, uint64_t>;
  static constexpr size_t kMaxBytes = 8 * kMiB;
  PendingWindow window_{kMaxBytes};
};

TEST_CASE_METHOD(WindowFixture, "an empty window has nothing to send") {
  CHECK(window_.NextToSend() == nullptr);
  CHECK(window_.bytes() == 0);
  CHECK(window_.latest_revision() == 0);
  CHECK(window_.sent_revision() == 0);
}

TEST_CASE_METHOD(WindowFixture, "revisions begin at 1, or after what was replayed") {
  CHECK(Add().first_revision == 1);
  PendingWindow replayed(kMaxBytes);
  replayed.StartAfter(41, 5000);
  CHECK(replayed.latest_revision() == 41);
  CHECK(replayed.sent_revision() == 41);
  auto encoded = Mutation(1);
  CHECK(replayed.Add(absl::MakeSpan(encoded), 9000).first_revision == 42);
}

TEST_CASE_METHOD(WindowFixture, "every transaction carries the revision and the time that it was given") {
  Add(10, 1, 1000);
  Add(10, 2, 2000);
  const auto transactions = Decoded(*window_.NextToSend());
  CHECK(transactions[0].revision() == 1);
  CHECK(transactions[0].time_micros() == 1000);
  CHECK(transactions[1].revision() == 2);
  CHECK(transactions[2].revision() == 3);
  CHECK(transactions[2].time_micros() == 2000);
}

TEST_CASE_METHOD(WindowFixture, "time never goes back") {
  window_.StartAfter(10, 5000);
  CHECK(Add(1, 1, 4000).time_micros == 5000);
  CHECK(Add(1, 1, 6000).time_micros == 6000);
  CHECK(Add(1, 1, 5999).time_micros == 6000);
  CHECK(window_.latest_time_micros() == 6000);
}

TEST_CASE_METHOD(WindowFixture, "what comes before a frame is sent travels in it") {
  Add();
  Add();
  Add();
  CHECK(Send() == Range{1, 3});
  CHECK(Send() == Range{0, 0});
  CHECK(window_.sent_revision() == 3);
}

TEST_CASE_METHOD(WindowFixture, "a frame that was handed out never changes") {
  Add();
  const auto frame = window_.NextToSend();
  const std::string bytes = frame->transactions;
  Add();
  CHECK(frame->transactions == bytes);
  CHECK(frame->count == 1);
  CHECK(Send() == Range{2, 2});
}

TEST_CASE_METHOD(WindowFixture, "after a rewind the same frames are sent again, and nothing is added to them") {
  Add();
  const auto first = window_.NextToSend();
  Add();
  const auto second = window_.NextToSend();
  window_.Rewind();
  Add();
  CHECK(window_.NextToSend() == first);
  CHECK(window_.NextToSend() == second);
  CHECK(Send() == Range{3, 3});
  CHECK(window_.sent_revision() == 3);
}

TEST_CASE_METHOD(WindowFixture, "after a rewind a frame that was not sent yet is still open") {
  Add();
  Send();
  Add();
  window_.Rewind();
  Add();
  CHECK(Send() == Range{1, 1});
  CHECK(Send() == Range{2, 3});
}

TEST_CASE_METHOD(WindowFixture, "a rewind sends only what is not durable") {
  for (int i = 0; i < 4; ++i) {
    Add();
    Send();
  }
  window_.Trim(2);
  window_.Rewind();
  CHECK(Send() == Range{3, 3});
  CHECK(Send() == Range{4, 4});
  CHECK(Send() == Range{0, 0});
}

TEST_CASE_METHOD(WindowFixture, "trimming between a rewind and the next frame skips what is durable") {
  for (int i = 0; i < 3; ++i) {
    Add();
    Send();
  }
  window_.Rewind();
  window_.Trim(1);
  CHECK(Send() == Range{2, 2});
  window_.Trim(3);
  CHECK(Send() == Range{0, 0});
  Add();
  CHECK(Send() == Range{4, 4});
}

TEST_CASE_METHOD(WindowFixture, "a trim inside of a frame keeps the whole frame") {
  Add(10, 3);
  Send();
  const size_t bytes = window_.bytes();
  window_.Trim(2);
  CHECK(window_.bytes() == bytes);
  window_.Rewind();
  CHECK(Send() == Range{1, 3});
  window_.Trim(3);
  CHECK(window_.bytes() == 0);
}

TEST_CASE_METHOD(WindowFixture, "a frame stays readable after it was trimmed") {
  Add();
  const auto frame = window_.NextToSend();
  window_.Trim(1);
  CHECK(Decoded(*frame).size() == 1);
}

TEST_CASE_METHOD(WindowFixture, "a frame ends before it passes the size that writers aim at") {
  const size_t half = kTargetFrameBytes / 2;
  Add(half);
  Add(half);  // with keys and tags, over the size together
  Add(10);
  CHECK(Send() == Range{1, 1});
  CHECK(Send() == Range{2, 3});
}

TEST_CASE_METHOD(WindowFixture, "a batch travels in one frame, however large it is") {
  Add(10);
  Add(kMiB - kKiB, 3);
  Add(10);
  CHECK(Send() == Range{1, 1});
  const auto frame = window_.NextToSend();
  CHECK(frame->first_revision == 2);
  CHECK(frame->count == 3);
  CHECK(Decoded(*frame).back().batch_remaining() == 0);
  CHECK(Send() == Range{5, 5});
}

TEST_CASE_METHOD(WindowFixture, "bytes are bounded, and what is trimmed makes room") {
  const auto mutation = Mutation(kMiB);
  const size_t bytes = mutation[0].bytes().size();
  size_t added = 0;
  for (; window_.HasRoomFor(mutation); ++added) Add(kMiB);
  CHECK(added == kMaxBytes / bytes);
  CHECK(window_.bytes() == added * bytes);
  CHECK(window_.HasRoomFor(Mutation(10)));
  while (window_.NextToSend()) continue;
  window_.Trim(1);
  CHECK(window_.bytes() == (added - 1) * bytes);
  CHECK(window_.HasRoomFor(mutation));
}

TEST_CASE_METHOD(WindowFixture, "a mutation that fits exactly is taken") {
  const auto mutation = Mutation(100);
  PendingWindow exact(mutation[0].bytes().size());
  CHECK(exact.HasRoomFor(mutation));
  CHECK_FALSE(exact.HasRoomFor(Mutation(101)));
}

// A random history of the window against a plain model: the ledger's view of what it was sent.
class RandomWindow : public WindowFixture {
 protected:
  void Step() {
    switch (random_() % 6) {
      case 0:
      case 1:
        return AddSome();
      case 2:
      case 3:
        return SendOne();
      case 4:
        return AcknowledgeSome();
      case 5:
        window_.Rewind();
        next_expected_ = durable_ + 1;
    }
  }

  // Sends and acknowledges all that is left.
  void Finish() {
    while (window_.latest_revision() > durable_) {
      SendOne();
      AcknowledgeSome();
    }
    CHECK(window_.bytes() == 0);
    CHECK(window_.NextToSend() == nullptr);
  }

  unsigned seed() const { return seed_; }

 private:
  void AddSome() {
    const uint64_t count = 1 + random_() % 3;
    const auto mutation = Mutation(random_() % 2 ? 20 : 300 * kKiB, count);
    if (!window_.HasRoomFor(mutation)) return;
    auto encoded = mutation;
    const Stamp stamp = window_.Add(absl::MakeSpan(encoded), static_cast<int64_t>(random_() % 100000));
    REQUIRE(stamp.first_revision == latest_ + 1);
    REQUIRE(stamp.time_micros >= latest_time_);
    latest_time_ = stamp.time_micros;
    for (const auto& transaction : encoded) bytes_of_[++latest_] = transaction.bytes();
  }

  void SendOne() {
    const auto frame = window_.NextToSend();
    if (!frame) {
      REQUIRE(next_expected_ == latest_ + 1);
      return;
    }
    REQUIRE(frame->first_revision == next_expected_);
    next_expected_ = frame->last_revision() + 1;
    std::string expected;
    for (uint64_t r = frame->first_revision; r <= frame->last_revision(); ++r) expected += bytes_of_[r];
    REQUIRE(frame->transactions == expected);
    // The same frame as the last time it was sent.
    const auto [sent, is_new] = last_of_frame_.emplace(frame->first_revision, frame->last_revision());
    REQUIRE(sent->second == frame->last_revision());
    REQUIRE(window_.sent_revision() == last_of_frame_.rbegin()->second);
  }

  // What a ledger acknowledges is the end of a frame that it was sent.
  void AcknowledgeSome() {
    auto it = last_of_frame_.upper_bound(durable_);
    if (it == last_of_frame_.end()) return;
    for (int more = random_() % 3; more > 0 && std::next(it) != last_of_frame_.end(); --more) ++it;
    durable_ = it->second;
    window_.Trim(durable_);
    next_expected_ = std::max(next_expected_, durable_ + 1);
    bytes_of_.erase(bytes_of_.begin(), bytes_of_.upper_bound(durable_));
    size_t bytes = 0;
    for (const auto& [revision, encoded] : bytes_of_) bytes += encoded.size();
    REQUIRE(window_.bytes() == bytes);
  }

  const uint64_t seed_ = TestSeed();
  std::mt19937 random_{seed_};
  uint64_t latest_ = 0;
  uint64_t durable_ = 0;
  uint64_t next_expected_ = 1;
  int64_t latest_time_ = 0;
  std::map<uint64_t, std::string> bytes_of_;
  std::map<uint64_t, uint64_t> last_of_frame_;  // by first revision, of every frame that was sent
};

TEST_CASE_METHOD(RandomWindow, "whatever is added, sent, lost and acknowledged, the ledger gets one history") {
  INFO("KVS_SEED=" << seed());
  for (int i = 0; i < 5000; ++i) Step();
  Finish();
}

}  // namespace
}  // namespace kvs::server
