#include "common/rpc/idle_budget.h"

namespace kvs::rpc {

IdleBudget::Time IdleBudget::AllowedAt(Time now) {
  if (now - window_begin_ >= kWindow) {
    had_calls_ = has_calls_ && now - window_begin_ < 2 * kWindow;
    has_calls_ = false;
    window_begin_ = now;
    spent_ = {};
  }
  const bool gives_way = has_calls_ || had_calls_;
  return gives_way && spent_ >= kShare ? window_begin_ + kWindow : now;
}

}  // namespace kvs::rpc
