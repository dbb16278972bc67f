#include "common/config/version.h"

namespace kvs {

absl::string_view Version() { return KVS_VERSION; }

}  // namespace kvs
