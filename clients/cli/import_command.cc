// import: keys from lines of JSON, as export writes them.
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <absl/time/clock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/export_format.h"
#include "clients/cli/import_entry.h"
#include "clients/cli/import_sender.h"
#include "clients/cli/input.h"
#include "clients/cli/json.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

using google::protobuf::util::TimeUtil;

// By how much the clock of who wrote an expiry may be ahead.
constexpr absl::Duration kMaxClockDifference = absl::Hours(24);

constexpr absl::Duration kMaxTtl = absl::Hours(24 * kMaxTtlDays);

constexpr absl::string_view kHowToWriteOne =
    R"(; write one as {"type":"VALUE_TYPE_INT","key":"a","value":{"intValue":"1"}})";

// The fields of a Value have the numbers of their types.
bool IsOfItsType(const v1::ScanEntry& entry) {
  const int kind = entry.value().kind_case();
  return kind != v1::Value::KIND_NOT_SET && kind == static_cast<int>(entry.type());
}

// The number of keys that the end of an export tells.
std::optional<uint64_t> KeysOfEnd(absl::string_view text) {
  google::protobuf::Struct line;
  uint64_t keys = 0;
  if (!google::protobuf::util::JsonStringToMessage(std::string(text), &line).ok()) return std::nullopt;
  const auto end = line.fields().find(std::string(kExportEnd));
  if (end == line.fields().end()) return std::nullopt;
  const auto& about = end->second.struct_value().fields();
  const auto number = about.find("keys");
  if (number == about.end() || !absl::SimpleAtoi(number->second.string_value(), &keys)) return std::nullopt;
  return keys;
}

bool IsEmpty(const v1::Value& value) {
  return (value.has_set_value() && value.set_value().members().empty()) ||
         (value.has_map_value() && value.map_value().fields().empty());
}

class Import {
 public:
  Import(const Context* context, client::Client client)
      : context_(*context),
        lines_(&context->environment.in),
        sender_(std::move(client), context->flags.count("if-absent") != 0),
        progress_(context->environment.err, context->progress_style()) {}

  absl::StatusOr<int> Run() {
    absl::Status status = TakeLines();
    // What came before a bad line is imported all the same. If that fails, it comes first.
    if (absl::Status sent = sender_.Flush(); !sent.ok()) status = sent;
    progress_.Clear();
    if (!status.ok()) return WithEnd(status, WhatWasDone(client::MayHaveHappened(status)));
    PrintResult();
    return kSuccess;
  }

 private:
  absl::Status TakeLines() {
    for (std::string text;;) {
      const absl::StatusOr<bool> more = lines_.Next(&text);
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (absl::Status status = TakeLine(absl::StripAsciiWhitespace(text)); !status.ok()) return status;
      progress_.Show("importing keys", sender_.imported(), 0);
    }
    if (!before_.more() && (!has_begin_ || has_end_)) return absl::OkStatus();
    return UsageError(absl::StrCat("the input ends after line ", lines_.number(), " before the export does"));
  }

  absl::Status TakeLine(absl::string_view text) {
    if (text.empty()) return absl::OkStatus();
    if (has_end_) return Wrong("is behind the end of the export");
    if (IsMarker(text, kExportBegin)) {
      has_begin_ = true;
      return absl::OkStatus();
    }
    if (IsMarker(text, kExportEnd)) return TakeEnd(text);
    v1::ScanEntry entry;
    const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(text), &entry);
    if (!parsed.ok()) return Wrong(absl::StrCat("is no key as JSON: ", std::string(parsed.message()), kHowToWriteOne));
    return TakeEntry(std::move(entry));
  }

  static bool IsMarker(absl::string_view text, absl::string_view marker) {
    if (!absl::ConsumePrefix(&text, "{")) return false;
    text = absl::StripLeadingAsciiWhitespace(text);
    if (!absl::ConsumePrefix(&text, absl::StrCat("\"", marker, "\""))) return false;
    return absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), ":");
  }

  absl::Status TakeEnd(absl::string_view text) {
    const std::optional<uint64_t> keys = KeysOfEnd(text);
    if (!keys) return Wrong("is no end of an export");
    has_end_ = true;
    if (*keys == keys_) return absl::OkStatus();
    return Wrong(
        absl::StrCat("says that there are ", Counted(*keys, "key"), ", but ", keys_, " came: lines are missing"));
  }

  absl::Status TakeEntry(v1::ScanEntry entry) {
    if (entry.type() == v1::VALUE_TYPE_UNSPECIFIED) return Wrong(absl::StrCat("has no type", kHowToWriteOne));
    if (entry.value().kind_case() == v1::Value::KIND_NOT_SET) {
      return Wrong(absl::StrCat("has no value", kHowToWriteOne));
    }
    if (!IsOfItsType(entry)) return Wrong("has a value that is not of its type");
    const bool goes_on = before_.more();
    if (goes_on && (entry.type() != before_.type() || entry.key() != before_.key())) {
      return Wrong(absl::StrCat("is about another key, but more of \"", before_.key(), "\" should follow"));
    }
    if ((goes_on || entry.more()) && !entry.value().has_set_value() && !entry.value().has_map_value()) {
      return Wrong("has \"more\", but only a set or a map comes in several lines");
    }
    if (absl::Status status = Send(entry, goes_on); !status.ok()) return status;
    if (!entry.more()) ++keys_;
    entry.clear_value();
    before_ = std::move(entry);
    return absl::OkStatus();
  }

  absl::Status Send(const v1::ScanEntry& entry, bool goes_on) {
    std::optional<absl::Duration> ttl;
    if (!goes_on) is_expired_ = false;
    if (entry.has_expires_at()) {
      ttl = absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(entry.expires_at())) - absl::Now();
      if (*ttl > kMaxTtl + kMaxClockDifference) {
        return Wrong(absl::StrCat("expires more than ", kMaxTtlDays,
                                  " days from now: leave out its expiresAt, or give an earlier one"));
      }
      ttl = std::min(*ttl, kMaxTtl);
      if (!goes_on && *ttl < absl::Microseconds(1)) is_expired_ = true;
    }
    if (is_expired_) {
      if (!goes_on) ++expired_;
      return absl::OkStatus();
    }
    // The time of one whose lines come may be over meanwhile.
    if (ttl) ttl = std::max(*ttl, absl::Microseconds(1));
    ImportLine line{.number = lines_.number(), .type = entry.type(), .key = entry.key(), .is_last = !entry.more()};
    if (!goes_on || !IsEmpty(entry.value())) line.operation = OperationOf(entry, ttl, goes_on);
    if (line.operation.ByteSizeLong() > client::kMaxBatchBytes) {
      return Wrong(absl::StrCat("has a value of ", line.operation.ByteSizeLong(), " bytes, over the limit of 1 MiB: ",
                                "divide it into several lines, all but the last with \"more\":true"));
    }
    return sender_.Add(std::move(line));
  }

  // For the end of an error message. `is_unknown` says whether what the error is about may have been done.
  std::string WhatWasDone(bool is_unknown) const {
    std::string text = absl::StrCat(
        Counted(sender_.imported(), "key"), sender_.imported() == 1 ? " was" : " were", " imported before that, ",
        is_unknown ? "whether that was is not known, none after it was" : "none from there on");
    if (const auto key = sender_.BrokenKey()) {
      absl::StrAppend(&text, "; only a part of ", *key,
                      " is there: run the import again, with --if-absent too, to complete it");
    }
    return text;
  }

  void PrintResult() {
    JsonObject json;
    json.Add("imported", sender_.imported()).Add("expired", expired_).Add("present", sender_.present());
    std::string text = absl::StrCat("imported ", Counted(sender_.imported(), "key"));
    if (expired_ > 0) {
      absl::StrAppend(&text, ", left out ", expired_, expired_ == 1 ? " that has" : " that have", " expired");
    }
    if (sender_.present() > 0) {
      absl::StrAppend(&text, ", left out ", sender_.present(), sender_.present() == 1 ? " that is" : " that are",
                      " there");
    }
    context_.output.Result(json.ToString(), text);
  }

  absl::Status Wrong(absl::string_view how) const {
    return UsageError(absl::StrCat("line ", lines_.number(), " ", how));
  }

  const Context& context_;
  LineReader lines_;
  ImportSender sender_;
  ProgressBar progress_;
  bool has_begin_ = false;
  bool has_end_ = false;
  v1::ScanEntry before_;     // the last one, without its value
  bool is_expired_ = false;  // whether its key is left out
  uint64_t keys_ = 0;        // that came
  uint64_t expired_ = 0;
};

absl::StatusOr<int> RunImport(const Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Import(&context, *std::move(client)).Run();
}

}  // namespace

std::vector<Command> ImportCommands() {
  return {
      {.name = "import",
       .summary = "put keys that come as lines of JSON",
       .details =
           "Reads what `kvs export` has written from the input, and puts each key with its value and what is left\n"
           "of its time; keys whose time is over are left out. Keys that are there are replaced, others stay.\n"
           "A key is put at one moment, but for a set or map over 3 MiB. At an error, all lines before it are\n"
           "done and none after it; it may be repeated.",
       .example = "kvs import < all.jsonl\n"
                  "kvs import --if-absent < hosts.jsonl",
       .flags = {{"if-absent", "", "leave keys alone that are there"}},
       .changes = true,
       .is_many_requests = true,
       .has_own_conditions = true,
       .may_be_repeated = true,
       .run = RunImport},
  };
}

}  // namespace kvs::cli
