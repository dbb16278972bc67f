// The log of the servers: one line per event on standard error, as text for people or as JSON for collectors.
//
//   2026-01-31T10:00:00.123Z INFO  replay finished  revision=12 seconds=0.4
//   {"time":"2026-01-31T10:00:00.123Z","level":"info","message":"replay finished","revision":12,"seconds":0.4}
//
// A message says what happened and what to do next, without the particulars; those are fields, so that a collector can
// search for them. Values are never logged; keys are avoided. Every function here is thread-safe.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <variant>

namespace kvs {

enum class LogLevel {
  kDebug,  // For those who work on kvs: steps that are normal and frequent.
  kInfo,   // The life of the process: starts, listens, replayed, drains. A busy healthy server adds none.
  kWarn,   // Works on, but somebody should look: a refused certificate, a lost link, a slow disk.
  kError,  // Something that was promised cannot be done, or the process ends. Somebody must act.
};

enum class LogFormat { kText, kJson };

// One named particular of an event. Names are lower_snake_case and carry their unit last (wait_seconds, size_bytes).
class LogField {
 public:
  LogField(absl::string_view name, bool value) : name_(name), value_(value) {}
  LogField(absl::string_view name, std::integral auto value) : name_(name) {
    if constexpr (std::unsigned_integral<decltype(value)>) {
      value_ = static_cast<uint64_t>(value);
    } else {
      value_ = static_cast<int64_t>(value);
    }
  }
  LogField(absl::string_view name, std::floating_point auto value) : name_(name), value_(double{value}) {}
  LogField(absl::string_view name, absl::string_view value) : name_(name), value_(std::string(value)) {}
  LogField(absl::string_view name, const char* value) : LogField(name, absl::string_view(value)) {}
  LogField(absl::string_view name, const std::string& value) : LogField(name, absl::string_view(value)) {}
  // The message of the status; OK is "OK".
  LogField(absl::string_view name, const absl::Status& status);
  // As text such as 1.5s.
  LogField(absl::string_view name, absl::Duration duration);

  using Value = std::variant<bool, int64_t, uint64_t, double, std::string>;
  const std::string& name() const { return name_; }
  const Value& value() const { return value_; }

 private:
  std::string name_;
  Value value_;
};

using LogFields = std::initializer_list<LogField>;

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
};

// Sets level and format, and sends the messages of gRPC here. Until it is called the log is text at level info.
void InitLogging(const LogOptions& options);

// Whether events of this level are written: for callers whose fields are costly to make.
bool LogEnabled(LogLevel level);

void Log(LogLevel level, absl::string_view message, LogFields fields = {});
inline void LogDebug(absl::string_view message, LogFields fields = {}) { Log(LogLevel::kDebug, message, fields); }
inline void LogInfo(absl::string_view message, LogFields fields = {}) { Log(LogLevel::kInfo, message, fields); }
inline void LogWarn(absl::string_view message, LogFields fields = {}) { Log(LogLevel::kWarn, message, fields); }
inline void LogError(absl::string_view message, LogFields fields = {}) { Log(LogLevel::kError, message, fields); }

// Sends each line, without its newline, to `writer` instead of standard error; an empty writer undoes that. `writer` is
// called by one thread at a time and must not log.
void RedirectLog(std::function<void(absl::string_view line)> writer);

}  // namespace kvs
