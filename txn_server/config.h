// The settings of txn_server; `txn_server --help` explains each.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/config/address.h"
#include "common/config/config_parser.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/tls/key_set.h"
#include "txn_server/log/file/compactor.h"
#include "txn_server/log/postgres/schema.h"

namespace kvs::txn {

enum class LedgerKind { kFile, kPostgres };

struct Config {
  Address listen{"127.0.0.1", 5051};

  LedgerKind ledger = LedgerKind::kFile;
  std::string data_dir;
  size_t segment_bytes = kDefaultSegmentBytes;
  CompactionOptions compaction;
  std::string postgres_url;
  MigrateMode migrate = MigrateMode::kAuto;

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

// Settings that `txn_server copy` has too, for the ledger that it makes.
void AddSegmentSize(ConfigParser& parser, size_t* bytes, absl::string_view help);
void AddRetention(ConfigParser& parser, Retention* retention, absl::string_view help);

// What the table cannot say: settings that do not go together.
absl::Status CheckConfig(const Config& config);

// Refuses a password among the arguments of the program, which every user of the machine can read.
absl::Status CheckNoPassword(absl::Span<const char* const> arguments);

// Whether the settings file at `path`, which was read before, holds a password and every user of the machine can read
// it. False if `path` is empty.
bool ExposesPassword(const std::string& path);

}  // namespace kvs::txn
