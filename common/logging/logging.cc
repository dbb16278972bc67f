#include "common/logging/logging.h"

#include <absl/strings/str_cat.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

#include "common/logging/format.h"
#include "common/logging/grpc_log.h"

namespace kvs {
namespace {

// Writes each line with one write(2), so that lines of two processes on one terminal do not mix.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void Redirect(std::function<void(absl::string_view)> writer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    writer_ = std::move(writer);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const absl::string_view line(message.payload.data(), message.payload.size());
    if (writer_) {
      writer_(line);
      return;
    }
    const std::string with_newline = absl::StrCat(line, "\n");
    std::fwrite(with_newline.data(), 1, with_newline.size(), stderr);
  }
  void flush_() override { std::fflush(stderr); }

  std::function<void(absl::string_view)> writer_;
};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

struct State {
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>();
  spdlog::logger logger{"kvs", sink};
  std::atomic<LogFormat> format{LogFormat::kText};
};

// Never destroyed: threads of gRPC may log while the process exits.
State& GetState() {
  static State* const state = new State;
  return *state;
}

}  // namespace

LogField::LogField(absl::string_view name, const absl::Status& status)
    : LogField(name, status.ok() ? absl::string_view("OK") : status.message()) {}

LogField::LogField(absl::string_view name, absl::Duration duration) : LogField(name, absl::FormatDuration(duration)) {}

void InitLogging(const LogOptions& options) {
  GetState().logger.set_level(ToSpdlog(options.level));
  GetState().format = options.format;
  RouteGrpcLog();
}

bool LogEnabled(LogLevel level) { return GetState().logger.should_log(ToSpdlog(level)); }

void Log(LogLevel level, absl::string_view message, LogFields fields) {
  if (!LogEnabled(level)) return;
  State& state = GetState();
  const auto format = state.format == LogFormat::kJson ? FormatJson : FormatText;
  const std::string line = format(absl::Now(), level, message, fields);
  state.logger.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void RedirectLog(std::function<void(absl::string_view line)> writer) { GetState().sink->Redirect(std::move(writer)); }

}  // namespace kvs
