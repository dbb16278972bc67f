// The Abseil of the distributions looks for mutexes that are taken in different orders, and ends the process when it
// finds some. Tests leave it to that where it can be relied on. In newer versions it cannot in a program that is
// compiled with NDEBUG, as their headers then leave out to tell that a mutex is gone: one that comes to lie at the same
// address is taken for it.
#include <absl/base/config.h>
#include <absl/synchronization/mutex.h>

#if defined(NDEBUG) && ABSL_LTS_RELEASE_VERSION >= 20230000
namespace {

[[maybe_unused]] const bool is_ignored = [] {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}();

}  // namespace
#endif
