#include "clients/cli/server_text.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/strip.h>

#include <vector>

#include "clients/cli/types.h"
#include "common/config/values.h"

namespace kvs::cli {
namespace {

// SERVER_STATE_WAITING_FOR_LEDGER becomes "waiting for ledger".
std::string Words(absl::string_view enum_name, absl::string_view prefix, int number) {
  if (!absl::ConsumePrefix(&enum_name, prefix)) return absl::StrCat(number);
  return absl::StrReplaceAll(absl::AsciiStrToLower(enum_name), {{"_", " "}});
}

void AddRow(std::string* text, absl::string_view name, absl::string_view value) {
  absl::StrAppend(text, name, std::string(name.size() < 10 ? 10 - name.size() : 1, ' '), value, "\n");
}

std::string LedgerText(const v1::LedgerStatus& ledger) {
  std::vector<std::string> parts = {LedgerStateText(ledger.state())};
  if (!ledger.address().empty()) parts.push_back(absl::StrCat("at ", ledger.address()));
  if (!ledger.log_id().empty()) parts.push_back(absl::StrCat("log ", ledger.log_id()));
  if (ledger.has_epoch()) parts.push_back(absl::StrCat("epoch ", ledger.epoch()));
  return absl::StrJoin(parts, ", ");
}

std::string StartedText(const google::protobuf::Timestamp& start, absl::Time now) {
  const absl::Time started = absl::FromUnixSeconds(start.seconds());
  const absl::Duration up = absl::Trunc(now - started, absl::Seconds(1));
  return absl::StrCat(absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", started, absl::UTCTimeZone()), ", ",
                      up < absl::Seconds(1) ? "0s" : absl::FormatDuration(up), " ago");
}

std::string UsageText(const v1::UsageStatus& usage) {
  std::string text = absl::StrCat("keys ", usage.keys());
  if (usage.max_keys() != 0) absl::StrAppend(&text, " of ", usage.max_keys());
  absl::StrAppend(&text, ", bytes ", usage.bytes());
  if (usage.max_memory_bytes() != 0) absl::StrAppend(&text, " of ", FormatByteSize(usage.max_memory_bytes()));
  if (usage.max_keys() == 0 && usage.max_memory_bytes() == 0) return absl::StrCat(text, ", no limits");
  if (usage.policy() == v1::MEMORY_POLICY_LRU) return absl::StrCat(text, ", lru, ", usage.evictions(), " evicted");
  return absl::StrCat(text, ", refuse");
}

}  // namespace

std::string ServerStateText(v1::ServerState state) {
  return Words(v1::ServerState_Name(state), "SERVER_STATE_", static_cast<int>(state));
}

std::string LedgerStateText(v1::LedgerState state) {
  return Words(v1::LedgerState_Name(state), "LEDGER_STATE_", static_cast<int>(state));
}

std::string ReplayText(const v1::ReplayProgress& replay) {
  const uint64_t last = replay.last_revision();
  const double share = last == 0 ? 1.0 : static_cast<double>(replay.revision()) / static_cast<double>(last);
  return absl::StrCat("revision ", replay.revision(), " of ", last, ", ", static_cast<int>(share * 100), "%");
}

std::string StatusText(const v1::MaintenanceStatusResponse& status, absl::Time now) {
  std::string text;
  AddRow(&text, "server", absl::StrCat(ServerStateText(status.state()), ", version ", status.version()));
  if (status.has_start_time()) AddRow(&text, "started", StartedText(status.start_time(), now));
  if (status.has_replay()) AddRow(&text, "replay", ReplayText(status.replay()));

  const v1::LedgerStatus& ledger = status.ledger();
  AddRow(&text, "ledger", LedgerText(ledger));
  if (!ledger.detail().empty()) AddRow(&text, "", ledger.detail());
  AddRow(&text, "revision", absl::StrCat("newest ", ledger.latest_revision(), ", durable ", ledger.durable_revision()));
  AddRow(&text, "pending",
         absl::StrCat(FormatByteSize(ledger.pending_bytes()), " of ", FormatByteSize(ledger.max_pending_bytes()), ", ",
                      status.waiting_replies(), " waiting replies"));

  std::vector<std::string> keys;
  std::vector<std::string> bytes;
  for (const v1::StoreStatus& store : status.stores()) {
    keys.push_back(absl::StrCat(TypeNameOf(store.type()), " ", store.keys()));
    bytes.push_back(absl::StrCat(TypeNameOf(store.type()), " ", store.bytes()));
  }
  AddRow(&text, "keys", absl::StrJoin(keys, ", "));
  AddRow(&text, "bytes", absl::StrJoin(bytes, ", "));
  if (status.has_usage()) AddRow(&text, "in all", UsageText(status.usage()));
  return text;
}

}  // namespace kvs::cli
