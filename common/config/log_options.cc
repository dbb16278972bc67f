#include "common/config/log_options.h"

namespace kvs {

void AddLogSettings(ConfigParser& parser, LogOptions* options) {
  parser.AddSection("Log");
  parser.AddChoice<LogLevel>(
      "log-level", &options->level,
      {{"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo}, {"warn", LogLevel::kWarn}, {"error", LogLevel::kError}},
      "The least severe lines to write. info tells the life of the process, warn what somebody "
      "should look at, error what somebody must act on.");
  parser.AddChoice<LogFormat>("log-format", &options->format, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                              "How lines are written to standard error: for people, or as one JSON object each.");
}

}  // namespace kvs
