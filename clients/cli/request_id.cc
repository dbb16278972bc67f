#include "clients/cli/request_id.h"

#include <absl/strings/str_cat.h>

#include "clients/cli/exit_status.h"
#include "common/limits.h"

namespace kvs::cli {

const Flag& RequestIdFlag() {
  static const Flag flag{"request-id", "ID", "run again with the same ID, it takes effect once", Kind::kText};
  return flag;
}

absl::StatusOr<std::string> RequestIdOf(const std::map<std::string, std::vector<std::string>>& flags) {
  const auto flag = flags.find("request-id");
  if (flag == flags.end()) return std::string();
  const std::string& id = flag->second.back();
  if (!id.empty() && id.size() <= kMaxRequestIdBytes) return id;
  return UsageError(
      absl::StrCat("--request-id has 1 to ", kMaxRequestIdBytes, " bytes, not ", id.size(), "; give another"));
}

}  // namespace kvs::cli
