#include "txn_server/config.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "common/config/log_options.h"
#include "common/config/toml_file.h"
#include "common/limits.h"
#include "common/tls/setting_checks.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/postgres/connection_string.h"

namespace kvs::txn {
namespace {

// What may be a URL among the arguments, without the kind of ledger before it, and what people call it; nothing if this
// argument is none. `next` is the argument behind it.
std::pair<absl::string_view, absl::string_view> UrlIn(absl::string_view argument, absl::string_view next) {
  absl::string_view name = "an argument";
  if (absl::StartsWith(argument, "-")) {
    const size_t equals = argument.find('=');
    name = argument.substr(0, equals);
    if (name != "--postgres-url" && name != "--from" && name != "--to") return {};
    argument = equals == absl::string_view::npos ? next : argument.substr(equals + 1);
    if (absl::StartsWith(argument, "file:")) return {};
  } else if (!absl::StrContains(argument, "://")) {
    return {};
  }
  if (!absl::StartsWith(argument, "postgres://")) absl::ConsumePrefix(&argument, "postgres:");
  return {name, argument};
}

}  // namespace

void AddSegmentSize(ConfigParser& parser, size_t* bytes, absl::string_view help) {
  parser.AddByteSize("segment-size", bytes, {32 * kMiB, 4096 * kMiB}, help, kSectorBytes);
}

void AddRetention(ConfigParser& parser, Retention* retention, absl::string_view help) {
  parser.AddChoice("retention", retention, {{"on-delete", Retention::kOnDelete}, {"full", Retention::kFull}}, help);
}

ConfigParser MakeConfigParser(Config* config) {
  ConfigParser parser("txn_server", "TXN_SERVER_",
                      "The ledger of kvs: makes every change durable before it is answered, and replays them.");
  parser.AddSection("Addresses");
  parser.AddAddress("listen", &config->listen,
                    "Where kvs_server connects. Port 0 takes a free one, which the log tells.");
  parser.AddSection("Ledger");
  parser.AddChoice("ledger", &config->ledger, {{"file", LedgerKind::kFile}, {"postgres", LedgerKind::kPostgres}},
                   "How transactions are persisted.");
  parser.AddPath("data-dir", &config->data_dir, "The directory of the file ledger; it is made if it does not exist.");
  AddSegmentSize(parser, &config->segment_bytes, "The size of a segment of the file ledger. Two are preallocated.");
  AddRetention(parser, &config->compaction.retention,
               "What becomes of history that a snapshot stands for: it is removed, or kept for ever.");
  parser.AddByteSize("compaction-min-size", &config->compaction.min_bytes, {64 * kKiB, 1024 * 1024 * kMiB},
                     "How much is logged at least before the next snapshot of the file ledger is made.");
  parser.AddInteger("compaction-percent", &config->compaction.percent, {10, 10000},
                    "How much that is at least, in percent of the last snapshot before it was compressed.");
  parser.AddByteSize(
      "ballast-size", &config->compaction.ballast_bytes, {0, 1024 * 1024 * kMiB},
      "Space kept back in the directory of the file ledger, so that a snapshot, of up to this size, can still be made "
      "on a full disk; 0 for none.");
  parser.AddText(
      "postgres-url", &config->postgres_url, "URL",
      "The database of the PostgreSQL ledger, as a URL or a connection string. What it leaves out comes from "
      "PGHOST, PGPASSWORD, PGPASSFILE and so on. With a password only in the environment or the file.");
  parser.AddChoice("migrate", &config->migrate, {{"auto", MigrateMode::kAuto}, {"check", MigrateMode::kCheck}},
                   "What to do at a start if PostgreSQL lacks tables: make them, or refuse, which needs no right to "
                   "make tables. `txn_server migrate` makes them and ends.");
  parser.AddSection("TLS");
  parser.AddPath("tls-ca", &config->tls.ca, "The CA certificates that kvs_server is trusted by, as PEM.");
  parser.AddPath("tls-certificate", &config->tls.certificate,
                 "The certificate shown to kvs_server, as PEM. Its URI must be spiffe://<trust domain>/ledger/<name>.");
  parser.AddPath("tls-key", &config->tls.key, "The private key of the certificate, as PEM.");
  parser.AddText("trust-domain", &config->trust_domain, "NAME", "The trust domain of all identities.");
  parser.AddSwitch("insecure", &config->insecure, "Serve in plaintext, on loopback only: everybody there may write.");
  parser.AddSwitch(
      "insecure-any-address", &config->insecure_any_address,
      "Allow plaintext on other addresses than loopback: everybody on the way can read and change everything.");
  parser.AddSection("Limits");
  parser.AddDuration("writer-timeout", &config->writer_timeout, {absl::Milliseconds(100), absl::Hours(1)},
                     "How long a writer may be silent before its connection counts as dead.");
  parser.AddDuration("drain-timeout", &config->drain_timeout, {absl::ZeroDuration(), absl::Hours(1)},
                     "How long calls may take to finish after SIGTERM.");
  AddLogSettings(parser, &config->log);
  return parser;
}

absl::Status CheckConfig(const Config& config) {
  if (config.ledger == LedgerKind::kFile && config.data_dir.empty()) {
    return absl::InvalidArgumentError("--data-dir must be set");
  }
  if (absl::Status status = CheckTrustDomain(config.trust_domain); !status.ok()) return status;
  if (!config.insecure) return CheckTlsFilesAreSet(config.tls);
  if (config.insecure_any_address) return absl::OkStatus();
  return CheckPlaintextStaysHere("--insecure would serve plaintext on", config.listen);
}

absl::Status CheckNoPassword(absl::Span<const char* const> arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view next = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const auto [name, url] = UrlIn(arguments[i], next);
    if (!HasPassword(std::string(url))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name,
                     " holds a password, which every user of this machine can read in the list of processes: set "
                     "PGPASSWORD, or name a file with PGPASSFILE, or give the URL in the environment, instead"));
  }
  return absl::OkStatus();
}

bool ExposesPassword(const std::string& path) {
  struct stat status = {};
  if (path.empty() || stat(path.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return false;
  const auto settings = ReadTomlFile(path);
  return settings.ok() && std::any_of(settings->begin(), settings->end(), [](const FileSetting& setting) {
           return setting.name == "postgres-url" && HasPassword(setting.text);
         });
}

}  // namespace kvs::txn
