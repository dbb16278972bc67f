// import: keys from lines of JSON, as export writes them.
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <absl/time/clock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <istream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/export_format.h"
#include "clients/cli/json.h"
#include "clients/cli/types.h"
#include "clients/cpp/batch.h"
#include "common/errors.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

using google::protobuf::util::TimeUtil;

// What is sent at a time, well below what a request may have.
constexpr int kPartOperations = 1000;
constexpr size_t kPartBytes = kMiB;

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

// Fills in the key and how long it is to live, and returns the request for its value.
template <class Request>
Request& Begin(const v1::ScanEntry& entry, const std::optional<absl::Duration>& ttl, Request* request) {
  request->set_key(entry.key());
  if (ttl) *request->mutable_ttl() = TimeUtil::MicrosecondsToDuration(absl::ToInt64Microseconds(*ttl));
  return *request;
}

// What an entry asks for: a put, or, where it goes on with the value of the one before it, more of that.
v1::BatchOperation OperationOf(const v1::ScanEntry& entry, const std::optional<absl::Duration>& ttl, bool goes_on) {
  v1::BatchOperation operation;
  const v1::Value& value = entry.value();
  switch (value.kind_case()) {
    case v1::Value::kIntValue:
      Begin(entry, ttl, operation.mutable_int_put()).set_value(value.int_value());
      break;
    case v1::Value::kUintValue:
      Begin(entry, ttl, operation.mutable_uint_put()).set_value(value.uint_value());
      break;
    case v1::Value::kFloatValue:
      Begin(entry, ttl, operation.mutable_float_put()).set_value(value.float_value());
      break;
    case v1::Value::kStringValue:
      Begin(entry, ttl, operation.mutable_string_put()).set_value(value.string_value());
      break;
    case v1::Value::kSetValue:
      if (goes_on) {
        *Begin(entry, ttl, operation.mutable_set_add()).mutable_members() = value.set_value().members();
      } else {
        *Begin(entry, ttl, operation.mutable_set_put()).mutable_members() = value.set_value().members();
      }
      break;
    case v1::Value::kMapValue:
      if (goes_on) {
        *Begin(entry, ttl, operation.mutable_map_put_fields()).mutable_fields() = value.map_value().fields();
      } else {
        *Begin(entry, ttl, operation.mutable_map_put()).mutable_fields() = value.map_value().fields();
      }
      break;
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return operation;
}

bool IsEmpty(const v1::Value& value) {
  return (value.has_set_value() && value.set_value().members().empty()) ||
         (value.has_map_value() && value.map_value().fields().empty());
}

void MakeConditional(v1::BatchOperation* operation) {
  const auto* reflection = v1::BatchOperation::GetReflection();
  const auto* field = reflection->GetOneofFieldDescriptor(*operation, v1::BatchOperation::descriptor()->oneof_decl(0));
  google::protobuf::Message* request = reflection->MutableMessage(operation, field);
  const auto* precondition = request->GetDescriptor()->FindFieldByName("precondition");
  auto* message = request->GetReflection()->MutableMessage(request, precondition);
  static_cast<v1::Precondition*>(message)->set_must_not_exist(true);
}

class Import {
 public:
  Import(const Context* context, client::Client client)
      : context_(*context),
        client_(std::move(client)),
        if_absent_(context->flags.count("if-absent") != 0),
        progress_(context->environment.err, context->progress_style()) {}

  absl::StatusOr<int> Run() {
    for (std::string text; std::getline(context_.environment.in, text);) {
      ++line_;
      if (absl::Status status = TakeLine(absl::StripAsciiWhitespace(text)); !status.ok()) return status;
      progress_.Show("importing keys", imported_, 0);
    }
    if (absl::Status status = Send(); !status.ok()) return status;
    progress_.Clear();
    if (before_.more() || (has_begin_ && !has_end_)) {
      return UsageError(absl::StrCat("the input ends after line ", line_, " before the export does: ", imported_,
                                     " keys were imported, others are missing"));
    }
    PrintResult();
    return kSuccess;
  }

 private:
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
    if (!parsed.ok()) {
      return Wrong(
          absl::StrCat("is no key as JSON: ", std::string(parsed.message()),
                       "; write one as {\"type\":\"VALUE_TYPE_INT\",\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}"));
    }
    return TakeEntry(std::move(entry));
  }

  static bool IsMarker(absl::string_view text, absl::string_view marker) {
    return absl::StartsWith(text, absl::StrCat("{\"", marker, "\":"));
  }

  absl::Status TakeEnd(absl::string_view text) {
    const std::optional<uint64_t> keys = KeysOfEnd(text);
    if (!keys) return Wrong("is no end of an export");
    has_end_ = true;
    if (*keys == keys_) return absl::OkStatus();
    return Wrong(absl::StrCat("says that there are ", *keys, " keys, but ", keys_, " came: lines are missing"));
  }

  absl::Status TakeEntry(v1::ScanEntry entry) {
    if (!IsOfItsType(entry)) {
      return Wrong("has a value that is not of its type");
    }
    const bool goes_on = before_.more();
    if (goes_on && (entry.type() != before_.type() || entry.key() != before_.key())) {
      return Wrong(absl::StrCat("is about another key, but more of \"", before_.key(), "\" should follow"));
    }
    if (!goes_on) is_skipped_ = false;
    if (absl::Status status = Add(entry, goes_on); !status.ok()) return status;
    if (!entry.more()) ++keys_;
    entry.clear_value();
    before_ = std::move(entry);
    return absl::OkStatus();
  }

  absl::Status Add(const v1::ScanEntry& entry, bool goes_on) {
    std::optional<absl::Duration> ttl;
    if (entry.has_expires_at()) {
      ttl = absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(entry.expires_at())) - absl::Now();
      if (*ttl < absl::Microseconds(1)) {
        if (!goes_on) ++expired_;
        is_skipped_ = true;
      }
    }
    if (is_skipped_ || (goes_on && IsEmpty(entry.value()))) return absl::OkStatus();
    v1::BatchOperation operation = OperationOf(entry, ttl, goes_on);
    if (if_absent_ && !goes_on) MakeConditional(&operation);
    bytes_ += operation.ByteSizeLong();
    *request_.add_operations() = std::move(operation);
    lines_.push_back(line_);
    goes_on_.push_back(goes_on);
    // Whether the key is there decides about what follows.
    const bool must_know = if_absent_ && !goes_on && entry.more();
    if (!must_know && request_.operations_size() < kPartOperations && bytes_ < kPartBytes) return absl::OkStatus();
    return Send();
  }

  // Sends what has been gathered.
  absl::Status Send() {
    if (request_.operations_size() == 0) return absl::OkStatus();
    const auto response = client_.batch().Execute(request_);
    if (!response.ok()) {
      return WithPlace(response.status(), absl::StrCat("lines ", lines_.front(), " to ", lines_.back()));
    }
    for (int i = 0; i < response->results_size(); ++i) {
      const absl::Status status = client::StatusOf(response->results(i));
      is_skipped_ = if_absent_ && Is(status, errors::kKeyExists);
      if (is_skipped_) {
        ++present_;
      } else if (!status.ok()) {
        return WithPlace(status, absl::StrCat("line ", lines_[i]));
      } else if (!goes_on_[i]) {
        ++imported_;
      }
    }
    request_.clear_operations();
    lines_.clear();
    goes_on_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  void PrintResult() {
    JsonObject json;
    json.Add("imported", imported_).Add("expired", expired_).Add("present", present_);
    std::string text = absl::StrCat("imported ", imported_, " keys");
    if (expired_ > 0) absl::StrAppend(&text, ", left out ", expired_, " that have expired");
    if (present_ > 0) absl::StrAppend(&text, ", left out ", present_, " that are there");
    context_.output.Result(json.ToString(), text);
  }

  absl::Status Wrong(absl::string_view how) const { return UsageError(absl::StrCat("line ", line_, " ", how)); }

  const Context& context_;
  const client::Client client_;
  const bool if_absent_;
  ProgressBar progress_;
  int line_ = 0;
  bool has_begin_ = false;
  bool has_end_ = false;
  v1::ScanEntry before_;     // the last one, without its value
  bool is_skipped_ = false;  // whether the rest of its value is left out

  // What was not sent yet.
  v1::BatchExecuteRequest request_;
  std::vector<int> lines_;     // of each operation
  std::vector<bool> goes_on_;  // whether it goes on with the key before it
  size_t bytes_ = 0;

  uint64_t keys_ = 0;  // that came
  uint64_t imported_ = 0;
  uint64_t expired_ = 0;
  uint64_t present_ = 0;
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
           "At an error it stops; it may be repeated.",
       .example = "kvs import < all.jsonl\n"
                  "kvs import --if-absent < hosts.jsonl",
       .flags = {{"if-absent", "", "leave keys alone that are there"}},
       .changes = true,
       .is_many_requests = true,
       .has_own_conditions = true,
       .run = RunImport},
  };
}

}  // namespace kvs::cli
