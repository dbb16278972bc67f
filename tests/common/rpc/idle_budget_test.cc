#include "common/rpc/idle_budget.h"

#include "tests/support/catch.h"

namespace kvs::rpc {
namespace {

using std::chrono::microseconds;

constexpr microseconds kPiece{100};

class BudgetFixture {
 protected:
  // Works in pieces until it may not, or for ten windows; returns for how long.
  microseconds WorkOn() {
    microseconds worked{};
    while (worked < 10 * IdleBudget::kWindow && budget_.AllowedAt(now_) == now_) {
      budget_.Spend(kPiece);
      now_ += kPiece;
      worked += kPiece;
    }
    return worked;
  }

  IdleBudget budget_;
  IdleBudget::Time now_{std::chrono::hours(1)};
};

TEST_CASE_METHOD(BudgetFixture, "where no calls arrive, idle work goes on without end") {
  CHECK(WorkOn() == 10 * IdleBudget::kWindow);
}

TEST_CASE_METHOD(BudgetFixture, "while calls arrive, idle work has its share of each window") {
  for (int window = 0; window < 5; ++window) {
    // It is in the first window that the work begins.
    const IdleBudget::Time begin = now_;
    CHECK(budget_.AllowedAt(now_) == now_);
    budget_.NoteCall();
    CHECK(WorkOn() == IdleBudget::kShare);
    now_ = budget_.AllowedAt(now_);
    CHECK(now_ == begin + IdleBudget::kWindow);
  }
}

TEST_CASE_METHOD(BudgetFixture, "a call that arrives when the share is used up ends the work of its window") {
  CHECK(budget_.AllowedAt(now_) == now_);
  budget_.Spend(IdleBudget::kShare);
  now_ += IdleBudget::kShare;
  CHECK(budget_.AllowedAt(now_) == now_);
  budget_.NoteCall();
  CHECK(budget_.AllowedAt(now_) > now_);
}

TEST_CASE_METHOD(BudgetFixture, "calls that have ended are given way to for one more window") {
  CHECK(budget_.AllowedAt(now_) == now_);
  budget_.NoteCall();
  CHECK(WorkOn() == IdleBudget::kShare);
  now_ = budget_.AllowedAt(now_);
  CHECK(WorkOn() == IdleBudget::kShare);
  now_ = budget_.AllowedAt(now_);
  CHECK(WorkOn() == 10 * IdleBudget::kWindow);
}

TEST_CASE_METHOD(BudgetFixture, "calls of long ago do not matter") {
  CHECK(budget_.AllowedAt(now_) == now_);
  budget_.NoteCall();
  now_ += 2 * IdleBudget::kWindow;
  CHECK(WorkOn() == 10 * IdleBudget::kWindow);
}

}  // namespace
}  // namespace kvs::rpc
