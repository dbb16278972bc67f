// The settings of kvs_server; `kvs_server --help` explains each.
#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "common/config/address.h"
#include "common/config/config_parser.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/tls/key_set.h"
#include "kvs_server/store/usage.h"

namespace kvs::server {

struct Config {
  Address listen{"127.0.0.1", 5050};
  uint64_t event_loops = 1;

  bool has_ledger = true;
  Address ledger{"127.0.0.1", 5051};
  bool has_ledger_address = false;  // whether `ledger` was given
  uint64_t take_over = 0;

  TlsFiles tls;
  bool require_client_certificate = false;
  std::string trust_domain = "kvs";
  bool insecure = false;
  bool insecure_ledger = false;
  bool insecure_any_address = false;

  uint64_t shards = 64;
  size_t max_memory_bytes = 0;
  uint64_t max_keys = 0;
  MemoryPolicy memory_policy = MemoryPolicy::kRefuse;
  size_t max_collection_bytes = kDefaultMaxCollectionBytes;
  size_t max_pending_bytes = kDefaultMaxPendingBytes;
  uint64_t max_waiting_replies = kDefaultMaxWaitingReplies;
  size_t max_scan_bytes = kDefaultMaxScanBytes;
  absl::Duration scan_idle_timeout = absl::Seconds(kDefaultScanIdleSeconds);
  absl::Duration max_commit_wait = absl::Seconds(5);
  uint64_t request_window_count = kDefaultRequestWindowCount;
  absl::Duration request_window_age = absl::Minutes(kDefaultRequestWindowMinutes);
  absl::Duration drain_timeout = absl::Seconds(10);

  LogOptions log;

  bool NeedsLedgerTls() const { return has_ledger && !insecure_ledger; }
};

// The table of settings, with `config` as fields and defaults.
ConfigParser MakeConfigParser(Config* config);

// What the table cannot say: settings that do not go together.
absl::Status CheckConfig(const Config& config);

}  // namespace kvs::server
