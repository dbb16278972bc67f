#include "common/logging/grpc_log.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpc/support/log.h>

#include <atomic>
#include <cstdint>

#include "common/logging/logging.h"

namespace kvs {
namespace {

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

// Anybody who can connect makes gRPC complain, as often as he likes: of that one line a second is kept.
bool MayWarn() {
  static std::atomic<int64_t> next_micros = 0;
  const int64_t now = absl::ToUnixMicros(absl::Now());
  int64_t next = next_micros;
  return now >= next && next_micros.compare_exchange_strong(next, now + 1'000'000);
}

void WriteGrpcMessage(gpr_log_func_args* args) {
  const LogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarn : LogLevel::kDebug;
  if (!LogEnabled(level) || (level == LogLevel::kWarn && !MayWarn())) return;
  Log(level, args->message, {{"grpc_source", absl::StrCat(BaseName(args->file), ":", args->line)}});
}

}  // namespace

void RouteGrpcLog() { gpr_set_log_function(WriteGrpcMessage); }

}  // namespace kvs
