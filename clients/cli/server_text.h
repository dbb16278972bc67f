// Maintenance.Status as the text that people see.
#pragma once

#include <absl/time/time.h>

#include <string>

#include "kvs/v1/maintenance.pb.h"

namespace kvs::cli {

// "serving", "replaying" and so on; the number for a state that this version does not know.
std::string ServerStateText(v1::ServerState state);
// "connected", "away" and so on.
std::string LedgerStateText(v1::LedgerState state);

// "revision 120 of 480, 25%"
std::string ReplayText(const v1::ReplayProgress& replay);

// Lines of the whole status.
std::string StatusText(const v1::MaintenanceStatusResponse& status, absl::Time now);

}  // namespace kvs::cli
