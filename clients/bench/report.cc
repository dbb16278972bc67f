#include "clients/bench/report.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/time/time.h>

#include "common/logging/format.h"

namespace kvs::bench {
namespace {

double Micros(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

// Three digits that matter.
std::string Duration(uint64_t nanoseconds) {
  const double micros = Micros(nanoseconds);
  if (micros < 1000) return absl::StrFormat("%.3gus", micros);
  if (micros < 1e6) return absl::StrFormat("%.3gms", micros / 1e3);
  return absl::StrFormat("%.3gs", micros / 1e6);
}

// Empty if there was none.
std::string FirstError(const LoadResult& result) {
  return result.first_error.ok() ? "" : result.first_error.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

std::string Errors(const LoadResult& result) {
  if (result.failed_operations == 0) return "none";
  return absl::StrCat(result.failed_operations, " of ", result.operations_in_all,
                      " operations, the warm-up included; the first: ", FirstError(result));
}

std::string Unsent(const LoadResult& result) {
  if (result.unsent_messages == 0) return {};
  return absl::StrCat(
      "unsent      ", result.unsent_messages,
      " calls were due, the warm-up included, but too many others were under way: the rate is too much\n");
}

}  // namespace

std::string Text(const LoadResult& result) {
  const Histogram& took = result.nanoseconds;
  return absl::StrFormat(
      "calls       %.0f/s\n"
      "operations  %.0f/s\n"
      "latency     p50 %s, p99 %s, p99.9 %s, max %s\n"
      "errors      %s\n"
      "%s"
      "client      %.2f of a processor",
      result.MessagesPerSecond(), result.OperationsPerSecond(), Duration(took.At(0.5)), Duration(took.At(0.99)),
      Duration(took.At(0.999)), Duration(took.max()), Errors(result), Unsent(result),
      result.cpu_seconds / result.seconds_in_all);
}

std::string Json(const LoadResult& result) {
  const Histogram& took = result.nanoseconds;
  return absl::StrFormat(
      R"({"calls_per_second":%.1f,"operations_per_second":%.1f,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f,)"
      R"("max_us":%.1f,"mean_us":%.1f,"seconds":%.3f,"calls":%d,"operations":%d,"operations_in_all":%d,)"
      R"("errors":%d,"error":%s,"unsent":%d,"cpu_seconds":%.3f})",
      result.MessagesPerSecond(), result.OperationsPerSecond(), Micros(took.At(0.5)), Micros(took.At(0.99)),
      Micros(took.At(0.999)), Micros(took.max()), took.mean() / 1e3, result.seconds, took.count(), result.operations,
      result.operations_in_all, result.failed_operations, JsonString(FirstError(result)), result.unsent_messages,
      result.cpu_seconds);
}

}  // namespace kvs::bench
