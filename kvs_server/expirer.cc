#include "kvs_server/expirer.h"

namespace kvs::server {
namespace {

// How late a removal may be, where nothing else delays it. A key counts as absent on time all the same.
constexpr absl::Duration kInterval = absl::Milliseconds(100);
// While there are more to remove.
constexpr absl::Duration kBusyInterval = absl::Milliseconds(1);

}  // namespace

void Expirer::Start() {
  loop_.Post([this] { Tick(); });
}

void Expirer::Tick() {
  if (is_stopped_) return;
  bool is_busy = engine_.journal().durable_revision() < last_revision_;
  if (!is_busy) {
    const uint64_t revision = engine_.Expire(kMaxExpiriesAtOnce);
    is_busy = revision != 0;
    if (is_busy) last_revision_ = revision;
  }
  loop_.RunAfter(is_busy ? kBusyInterval : kInterval, [this] { Tick(); });
}

}  // namespace kvs::server
