#include "clients/bench/options.h"

#include <absl/strings/str_cat.h>

#include "clients/bench/request_template.h"
#include "common/limits.h"

namespace kvs::bench {
namespace {

absl::Status CheckRange(absl::string_view flag, uint64_t value, uint64_t least, uint64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " must be ", least, " to ", most, ", not ", value));
}

absl::Status CheckRanges(const Options& options) {
  const struct {
    absl::string_view flag;
    uint64_t value, least, most;
  } ranges[] = {
      {"batch", options.batch, 1, kMaxBatchOperations},
      {"reads", options.reads, 0, 100},
      {"keys", options.keys, 1, kMaxKeys},
      {"value-size", options.value_size, 0, kMaxValueBytes},
      {"connections", options.connections, 1, kMaxConnections},
      {"outstanding", options.outstanding, 1, kMaxOutstanding},
      {"threads", options.threads, 1, kMaxThreads},
      {"rate", options.rate, 0, kMaxRate},
      {"key-size", options.key_size, KeySpace::LeastSize(options.keys), kMaxKeyBytes},
  };
  for (const auto& range : ranges) {
    const absl::Status in_range = CheckRange(range.flag, range.value, range.least, range.most);
    if (!in_range.ok()) return in_range;
  }
  return absl::OkStatus();
}

absl::Status NoMultiple(absl::string_view flag, uint64_t value, absl::string_view of, uint64_t share) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " must be a multiple of --", of, ", and ", value, " is none of ", share));
}

}  // namespace

absl::Status Check(const Options& options) {
  if (const absl::Status in_range = CheckRanges(options); !in_range.ok()) return in_range;
  if (options.duration <= absl::ZeroDuration() || options.duration > kMaxDuration) {
    return absl::InvalidArgumentError("--duration must be more than 0 and at most 24h");
  }
  if (options.warmup > kMaxDuration) return absl::InvalidArgumentError("--warmup must be at most 24h");
  if (options.via == Via::kUnary && options.batch != 1) {
    return absl::InvalidArgumentError("a unary call has one operation: leave --batch out, or choose another --via");
  }
  if (options.verb == Verb::kIncr && options.type != Type::kInt) {
    return absl::InvalidArgumentError("incr is for --type int");
  }
  if (options.connections % options.threads != 0) {
    return NoMultiple("connections", options.connections, "threads", options.threads);
  }
  if (options.outstanding % options.connections != 0) {
    return NoMultiple("outstanding", options.outstanding, "connections", options.connections);
  }
  if (options.batch * (options.key_size + options.value_size) > kMaxRequestBytes / 2) {
    return absl::InvalidArgumentError(
        "a message would be over 2 MiB: make --batch, --key-size or --value-size smaller");
  }
  return absl::OkStatus();
}

}  // namespace kvs::bench
