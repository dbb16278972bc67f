// The settings of txn_server; `txn_server --help` explains each.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "common/config/address.h"
#include "common/config/config_parser.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/tls/key_set.h"
#include "txn_server/log/file/compactor.h"

namespace kvs::txn {

enum class LedgerKind { kFile };

struct Config {
  Address listen{"127.0.0.1", 5051};

  LedgerKind ledger = LedgerKind::kFile;
  std::string data_dir;
  size_t segment_bytes = kDefaultSegmentBytes;
  CompactionOptions compaction;

  TlsFiles tls;
  std::string trust_domain = "kvs";
  bool insecure = false;
  bool insecure_any_address = false;

  absl::Duration writer_timeout = absl::Seconds(5);
  absl::Duration drain_timeout = absl::Seconds(10);

  LogOptions log;
};

// The table of settings, with `config` as fields and defaults.
ConfigParser MakeConfigParser(Config* config);

// What the table cannot say: settings that do not go together.
absl::Status CheckConfig(const Config& config);

}  // namespace kvs::txn
