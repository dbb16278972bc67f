#pragma once

#include "common/config/config_parser.h"
#include "common/logging/logging.h"

namespace kvs {

// The section of settings about the log, which every server has.
void AddLogSettings(ConfigParser& parser, LogOptions* options);

}  // namespace kvs
