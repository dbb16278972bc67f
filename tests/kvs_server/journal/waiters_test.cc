#include "kvs_server/journal/waiters.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::server {
namespace {

const absl::Time kStart = absl::UnixEpoch();

// Waits are known by name; a name is noted when its callback is called.
class WaitersFixture {
 protected:
  void Add(const std::string& name, uint64_t revision, absl::Duration deadline = absl::InfiniteDuration()) {
    waiters_.Add(revision, kStart + deadline, [this, name](Durability) { called_.push_back(name); });
  }

  // The names of what was taken, in order.
  std::vector<std::string> Names(std::vector<Waiters::Callback> callbacks) {
    called_.clear();
    for (auto& callback : callbacks) callback(Durability::kDurable);
    return called_;
  }

  using Expected = std::vector<std::string>;
  Waiters waiters_;
  std::vector<std::string> called_;
};

TEST_CASE_METHOD(WaitersFixture, "nothing waits at first") {
  CHECK(waiters_.size() == 0);
  CHECK(waiters_.TakeUpTo(~uint64_t{0}).empty());
  CHECK(waiters_.TakeExpired(absl::InfiniteFuture()).empty());
  CHECK(waiters_.TakeAll().empty());
}

TEST_CASE_METHOD(WaitersFixture, "waits end in the order of revisions, up to and with the one that is durable") {
  Add("three", 3);
  Add("one", 1);
  Add("two", 2);
  CHECK(Names(waiters_.TakeUpTo(2)) == Expected{"one", "two"});
  CHECK(waiters_.size() == 1);
  CHECK(Names(waiters_.TakeUpTo(2)).empty());
  CHECK(Names(waiters_.TakeUpTo(3)) == Expected{"three"});
}

TEST_CASE_METHOD(WaitersFixture, "waits for one revision end in the order they began") {
  for (const char* name : {"a", "b", "c"}) Add(name, 7);
  CHECK(waiters_.size() == 3);
  CHECK(Names(waiters_.TakeUpTo(7)) == Expected{"a", "b", "c"});
}

TEST_CASE_METHOD(WaitersFixture, "a wait is called once, with how it ended") {
  std::vector<Durability> ended;
  waiters_.Add(1, kStart, [&](Durability durability) { ended.push_back(durability); });
  for (auto& callback : waiters_.TakeAll()) callback(Durability::kUnknown);
  CHECK(ended == std::vector<Durability>{Durability::kUnknown});
  CHECK(waiters_.TakeAll().empty());
}

TEST_CASE_METHOD(WaitersFixture, "only waits whose deadline has come expire, whatever their revision") {
  Add("late", 1, absl::Seconds(10));
  Add("early", 2, absl::Seconds(5));
  CHECK(Names(waiters_.TakeExpired(kStart + absl::Seconds(4))).empty());
  CHECK(Names(waiters_.TakeExpired(kStart + absl::Seconds(5))) == Expected{"early"});
  CHECK(waiters_.size() == 1);
  CHECK(Names(waiters_.TakeExpired(kStart + absl::Seconds(10))) == Expected{"late"});
}

TEST_CASE_METHOD(WaitersFixture, "all waits can be ended at once") {
  Add("two", 2);
  Add("one", 1);
  CHECK(Names(waiters_.TakeAll()) == Expected{"one", "two"});
  CHECK(waiters_.size() == 0);
}

}  // namespace
}  // namespace kvs::server
