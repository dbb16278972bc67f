#include "common/logging/grpc_log.h"

#include <absl/strings/str_cat.h>
#include <grpc/support/log.h>

#include "common/logging/logging.h"

namespace kvs {
namespace {

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

void WriteGrpcMessage(gpr_log_func_args* args) {
  const LogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarn : LogLevel::kDebug;
  if (!LogEnabled(level)) return;
  Log(level, args->message, {{"grpc_source", absl::StrCat(BaseName(args->file), ":", args->line)}});
}

}  // namespace

void RouteGrpcLog() { gpr_set_log_function(WriteGrpcMessage); }

}  // namespace kvs
