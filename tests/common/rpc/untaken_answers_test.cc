#include "common/rpc/untaken_answers.h"

#include <memory>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::rpc {
namespace {

using Count = UntakenAnswers::Count;

class Fixture {
 protected:
  std::unique_ptr<Count> Hold(const std::string& peer, size_t bytes) {
    auto count = std::make_unique<Count>();
    answers_.SetForPeer(peer, bytes, count.get());
    return count;
  }

  std::set<std::string> cut_;
  UntakenAnswers answers_{1000,
                          [this](const std::set<std::string>& peers) { cut_.insert(peers.begin(), peers.end()); }};
};

TEST_CASE_METHOD(Fixture, "below the limit every connection has room") {
  const auto a = Hold("a", 999);
  CHECK(answers_.total() == 999);
  CHECK(answers_.HasRoom("a"));
}

TEST_CASE_METHOD(Fixture, "from the limit on only a connection that holds nothing has room") {
  const auto a = Hold("a", 1000);
  CHECK_FALSE(answers_.HasRoom("a"));
  CHECK(answers_.HasRoom("b"));
  const auto b = Hold("b", 1);
  CHECK_FALSE(answers_.HasRoom("b"));
  CHECK(cut_.empty());
}

TEST_CASE_METHOD(Fixture, "what is taken makes room") {
  auto a = Hold("a", 600);
  auto b = Hold("b", 900);
  CHECK_FALSE(answers_.HasRoom("a"));
  answers_.SetForPeer({}, 99, a.get());
  CHECK(answers_.total() == 999);
  CHECK(answers_.HasRoom("a"));
  CHECK(answers_.HasRoom("b"));
  answers_.SetForPeer({}, 2000, a.get());
  b.reset();
  CHECK(answers_.total() == 2000);
  CHECK_FALSE(answers_.HasRoom("a"));
  CHECK(answers_.HasRoom("b"));
}

TEST_CASE_METHOD(Fixture, "past twice the limit the largest are cut, once, until the limit is left") {
  const auto a = Hold("a", 400);
  const auto b = Hold("b", 900);
  const auto c = Hold("c", 600);
  const auto d = Hold("d", 100);
  CHECK(cut_.empty());
  const auto e = Hold("e", 1);
  CHECK(cut_ == std::set<std::string>{"b", "c"});
  cut_.clear();
  SECTION("what they hold still is waited for") {
    const auto more = Hold("b", 300);
    CHECK(cut_.empty());
  }
  SECTION("others may follow") {
    const auto more = Hold("e", 1500);
    CHECK(cut_ == std::set<std::string>{"e"});
  }
}

TEST_CASE_METHOD(Fixture, "from four times the limit on nobody has room") {
  const auto a = Hold("a", 2001);
  CHECK(cut_ == std::set<std::string>{"a"});
  auto more = Hold("a", 1998);
  CHECK(answers_.HasRoom("b"));
  const auto last = Hold("a", 1);
  CHECK_FALSE(answers_.HasRoom("b"));
  more.reset();
  CHECK(answers_.HasRoom("b"));
}

TEST_CASE_METHOD(Fixture, "nothing is left when all is taken") {
  std::vector<std::unique_ptr<Count>> counts;
  for (int i = 0; i < 100; ++i) counts.push_back(Hold("peer" + std::to_string(i % 7), 30));
  CHECK_FALSE(cut_.empty());
  counts.clear();
  CHECK(answers_.total() == 0);
  cut_.clear();
  // As if it had never been.
  const auto again = Hold("peer0", 2000);
  CHECK(cut_.empty());
}

}  // namespace
}  // namespace kvs::rpc
