#include "txn_server/log/compaction/compaction_attempts.h"

#include "common/errors.h"
#include "tests/support/catch.h"

namespace kvs::txn {
namespace {

constexpr uint64_t kGrowth = 1000;

class AttemptsFixture {
 public:
  AttemptsFixture() : attempts(Options()) {}

  static CompactionOptions Options() {
    CompactionOptions options;
    options.min_bytes = 100;
    return options;
  }

  bool Fail(const absl::Status& status = absl::InternalError("an I/O error"), uint64_t growth = kGrowth) {
    return attempts.Failed(status, growth, now);
  }

  // How long the next one has to wait.
  absl::Duration Wait() const { return attempts.not_before() - now; }

  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  CompactionAttempts attempts;
};

TEST_CASE_METHOD(AttemptsFixture, "attempts that fail are made at intervals that double up to a limit") {
  CHECK(attempts.MayTry(0, now));
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    Fail();
    CHECK(Wait() == absl::Seconds(seconds));
    CHECK_FALSE(attempts.MayTry(kGrowth, now));
    CHECK_FALSE(attempts.MayTry(kGrowth, now + absl::Seconds(seconds) - absl::Milliseconds(1)));
    CHECK(attempts.MayTry(kGrowth, now + absl::Seconds(seconds)));
    now += absl::Seconds(seconds);
  }
  for (int i = 0; i < 1000; ++i) Fail();
  CHECK(Wait() == absl::Seconds(60));
  CHECK(attempts.failures() == 1009);
  attempts.Succeeded();
  CHECK(attempts.failures() == 0);
  CHECK(attempts.MayTry(0, now));
  Fail();
  CHECK(Wait() == absl::Seconds(1));
}

TEST_CASE_METHOD(AttemptsFixture, "a log that doubled meanwhile is not waited for, and a small one grows by enough") {
  Fail();
  CHECK_FALSE(attempts.MayTry(2 * kGrowth - 1, now));
  CHECK(attempts.MayTry(2 * kGrowth, now));
  Fail(absl::InternalError("an I/O error"), 0);
  CHECK_FALSE(attempts.MayTry(99, now));
  CHECK(attempts.MayTry(100, now));
}

TEST_CASE_METHOD(AttemptsFixture, "when the reason may be gone, the next attempt waits as after a first failure") {
  for (int i = 0; i < 5; ++i) Fail();
  REQUIRE(Wait() == absl::Seconds(16));
  attempts.Hasten();
  CHECK(Wait() == absl::Seconds(1));
  CHECK_FALSE(attempts.MayTry(kGrowth, now));
  Fail();
  CHECK(Wait() == absl::Seconds(32));
  attempts.Succeeded();
  attempts.Hasten();
  CHECK(attempts.MayTry(0, now));
}

TEST_CASE_METHOD(AttemptsFixture, "a failure is news when the one before was another, or none") {
  const auto full = [](absl::string_view file) { return Error(errors::kNoSpace, file); };
  CHECK(Fail(full("3.snap.tmp")));
  CHECK_FALSE(Fail(full("3.snap.tmp")));
  CHECK_FALSE(Fail(full("3.run.1.tmp")));
  CHECK(Is(attempts.failure(), errors::kNoSpace));
  CHECK(Fail(Error(errors::kDamagedLog, "3.log")));
  CHECK(Fail(absl::InternalError("an I/O error")));
  CHECK_FALSE(Fail(absl::InternalError("an I/O error")));
  CHECK(Fail(absl::InternalError("another one")));
  CHECK(Fail(full("3.snap.tmp")));
  attempts.Succeeded();
  CHECK(attempts.failure() == absl::OkStatus());
  CHECK(Fail(full("3.snap.tmp")));
}

}  // namespace
}  // namespace kvs::txn
