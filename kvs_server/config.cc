#include "kvs_server/config.h"

#include "common/config/log_options.h"
#include "common/tls/setting_checks.h"

namespace kvs::server {
namespace {

void AddAddresses(ConfigParser& parser, Config* config) {
  parser.AddSection("Addresses");
  parser.AddAddress("listen", &config->listen, "Where clients connect. Port 0 takes a free one, which the log tells.");
  parser.AddChoice(
      "ledger", &config->has_ledger, {{"txn-server", true}, {"none", false}},
      "Where changes are persisted. With none they are not: everything is forgotten when the server stops, "
      "as caches and tests may want it.");
  parser.AddAddress("ledger-address", &config->ledger, "Where txn_server listens. It need not run yet.",
                    &config->has_ledger_address);
  parser.AddInteger(
      "take-over", &config->take_over, kAnyInteger,
      "The current epoch of the ledger, to take it from another kvs_server whose connection is alive; that one "
      "then stops. 0 to be refused instead.");
}

void AddTls(ConfigParser& parser, Config* config) {
  parser.AddSection("TLS");
  parser.AddPath("tls-ca", &config->tls.ca, "The CA certificates that clients and the ledger are trusted by, as PEM.");
  parser.AddPath("tls-certificate", &config->tls.certificate,
                 "The certificate shown to clients and to the ledger, as PEM. Its URI must be spiffe://<trust "
                 "domain>/writer/<name>.");
  parser.AddPath("tls-key", &config->tls.key, "The private key of the certificate, as PEM.");
  parser.AddChoice("tls-client-auth", &config->require_client_certificate, {{"optional", false}, {"require", true}},
                   "Whether clients must show a certificate. Without one they are anonymous in the ledger.");
  parser.AddText("trust-domain", &config->trust_domain, "NAME", "The trust domain of all identities.");
  parser.AddSwitch("insecure", &config->insecure, "Serve clients in plaintext, on loopback only.");
  parser.AddSwitch("insecure-ledger", &config->insecure_ledger, "Speak plaintext to the ledger, on loopback only.");
  parser.AddSwitch(
      "insecure-any-address", &config->insecure_any_address,
      "Allow plaintext on other addresses than loopback: everybody on the way can read and change everything.");
}

void AddLimits(ConfigParser& parser, Config* config) {
  parser.AddSection("Limits");
  parser.AddByteSize("max-memory", &config->max_memory_bytes, {0, kMaxMaxMemoryBytes},
                     "What all keys and values may take in memory, as estimated. 0 for no limit.");
  parser.AddInteger("max-keys", &config->max_keys, {0, kMaxMaxKeys},
                    "How many keys there may be, of all types together. 0 for no limit.");
  parser.AddChoice(
      "memory-policy", &config->memory_policy, {{"refuse", MemoryPolicy::kRefuse}, {"lru", MemoryPolicy::kLru}},
      "What happens past --max-memory or --max-keys: refuse makes mutations that grow RESOURCE_EXHAUSTED, lru "
      "deletes keys that were not used for long, as approximated by sampling, also in the ledger.");
  parser.AddByteSize("max-collection-bytes", &config->max_collection_bytes, {1 * kKiB, 1024 * kMiB},
                     "What a set or a map may grow to.");
  parser.AddByteSize("max-pending-bytes", &config->max_pending_bytes, {2 * kMaxRecordBytes, 16384 * kMiB},
                     "Changes that wait for the ledger; past it mutations are RESOURCE_EXHAUSTED.");
  parser.AddInteger(
      "max-waiting-replies", &config->max_waiting_replies, {1, 100000000},
      "Replies that wait for the ledger; past it calls that would have to wait too are RESOURCE_EXHAUSTED.");
  parser.AddByteSize("max-scan-bytes", &config->max_scan_bytes, {1 * kMiB, 16384 * kMiB},
                     "What is kept for all lists and scans under way, of what was changed since they began; past it "
                     "the one that needs the most ends as ABORTED.");
  parser.AddDuration("scan-idle-timeout", &config->scan_idle_timeout, {absl::ZeroDuration(), absl::Hours(24)},
                     "How long a list or scan may stand still, because its client takes nothing, before it has to make "
                     "room where 64 are under way; it ends as ABORTED then.");
  parser.AddDuration("max-commit-wait", &config->max_commit_wait, {absl::Milliseconds(1), absl::Hours(1)},
                     "How long a reply waits for the ledger before its outcome is answered as unknown.");
  parser.AddInteger("request-window-count", &config->request_window_count, {1, kMaxRequestWindowCount},
                    "Requests with a request_id whose answers are remembered, so that retries take effect once. "
                    "Older ones are forgotten, also where their ids and answers take over 64 MiB. With what keeps "
                    "them in order, all that takes up to 300 MiB, beside what --max-memory limits.");
  parser.AddDuration("request-window-age", &config->request_window_age,
                     {absl::Minutes(kMinRequestWindowMinutes), absl::Minutes(kMaxRequestWindowMinutes)},
                     "How long they are remembered.");
  parser.AddDuration("drain-timeout", &config->drain_timeout, {absl::ZeroDuration(), absl::Hours(1)},
                     "How long calls may take to finish after SIGTERM.");
}

}  // namespace

ConfigParser MakeConfigParser(Config* config) {
  ConfigParser parser(
      "kvs_server", "KVS_SERVER_",
      "A typed key-value store in memory. Every change is made durable by txn_server before it is answered.");
  AddAddresses(parser, config);
  AddTls(parser, config);
  AddLimits(parser, config);
  parser.AddSection("Tuning");
  parser.AddInteger("event-loops", &config->event_loops, {1, 256},
                    "Threads that serve calls. One is best on two cores; more cores carry more.");
  parser.AddInteger("shards", &config->shards, {1, 65536}, "Parts of the store, each with a lock of its own.");
  AddLogSettings(parser, &config->log);
  return parser;
}

absl::Status CheckConfig(const Config& config) {
  absl::Status status;
  if (!config.insecure || config.NeedsLedgerTls()) status = CheckTlsFilesAreSet(config.tls);
  if (!status.ok() && config.insecure) {
    return absl::InvalidArgumentError(absl::StrCat(
        status.message(),
        ". They are for the ledger: --ledger=none does without one, --insecure-ledger speaks plaintext to it"));
  }
  if (status.ok()) status = CheckTrustDomain(config.trust_domain);
  if (!status.ok()) return status;
  if (config.insecure && config.require_client_certificate) {
    return absl::InvalidArgumentError("--tls-client-auth=require cannot go with --insecure");
  }
  if (!config.has_ledger && config.take_over != 0) {
    return absl::InvalidArgumentError("--take-over cannot go with --ledger=none");
  }
  if (!config.has_ledger && config.has_ledger_address) {
    return absl::InvalidArgumentError(
        "--ledger-address cannot go with --ledger=none, which persists nothing: leave out one of them");
  }
  if (config.memory_policy == MemoryPolicy::kLru && config.max_memory_bytes == 0 && config.max_keys == 0) {
    return absl::InvalidArgumentError("--memory-policy=lru needs --max-memory or --max-keys");
  }
  if (config.insecure_any_address) return absl::OkStatus();
  if (config.insecure) status = CheckPlaintextStaysHere("--insecure would serve plaintext on", config.listen);
  if (status.ok() && config.has_ledger && config.insecure_ledger) {
    status = CheckPlaintextStaysHere("--insecure-ledger would send plaintext to", config.ledger);
  }
  return status;
}

}  // namespace kvs::server
