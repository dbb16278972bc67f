#include "clients/cli/output.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <ostream>

#include "clients/cli/condition.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "clients/cpp/client.h"
#include "common/control_characters.h"
#include "common/errors.h"
#include "google/rpc/error_details.pb.h"

namespace kvs::cli {
namespace {

void Line(std::ostream& out, absl::string_view text) {
  out << text;
  out.put('\n');
}

// gRPC itself answers so, with no message or one of its own, for services that the server does not have.
bool IsOtherServer(const absl::Status& status) { return absl::IsUnimplemented(status) && ReasonOf(status).empty(); }

bool IsAboutSettings(const absl::Status& status) {
  return Is(status, errors::kUnreachable) || Is(status, errors::kInvalidAddress) ||
         Is(status, errors::kInvalidCredentials) || IsOtherServer(status);
}

std::string MessageOf(const absl::Status& status, const Settings& settings) {
  if (const auto failure = client::PreconditionFailureOf(status)) {
    const std::string there = WhatIsThere(*failure);
    return absl::StrCat(status.message(), there.empty() ? "" : "; ", there);
  }
  if (!IsOtherServer(status)) return std::string(status.message());
  return absl::StrCat("what answers at ", settings.address.value,
                      " does not know this call: it is no kvs_server, or one of another version",
                      status.message().empty() ? "" : absl::StrCat(" (", status.message(), ")"));
}

std::string NextStepOfUnknown(const AdviceFor& advice_for) {
  if (advice_for.may_be_repeated) return "run it again: what was done already does no harm";
  if (advice_for.is_named) return "run it again with the same --request-id: it takes effect once";
  return "the change may have been made or not: read the key before you try again";
}

// What the server's message cannot know: how this command goes on. Empty where the message says it all.
std::string NextStep(const absl::Status& status, const AdviceFor& advice_for) {
  if (Is(status, kUsageError)) return {};
  if (const auto failure = client::PreconditionFailureOf(status)) {
    return NextStepAfter(status, *failure, advice_for.has_condition_flags);
  }
  if (Is(status, errors::kUnreachable)) {
    return "start the pair with `make run`, or let `kvs doctor` find out what is wrong";
  }
  if (Is(status, errors::kReplyTooLarge)) {
    return advice_for.changes ? "divide it into several" : "`kvs set list KEY` and `kvs map list KEY` read it in parts";
  }
  if (advice_for.changes && client::MayHaveHappened(status)) return NextStepOfUnknown(advice_for);
  if (Is(status, errors::kReplaying) || Is(status, errors::kNotApplied)) {
    // The message says what to do then.
    if (MetadataOf(status, "until_restart") == "true") return {};
    return "`kvs status` shows how it is; a longer --timeout waits for it";
  }
  if (ExitStatusOf(status) == kUnreachable) {
    const bool broke = absl::IsUnavailable(status) && ReasonOf(status).empty();
    return absl::StrCat("try again", broke ? "" : ", with a longer --timeout", "; `kvs doctor` finds out more");
  }
  if (IsOtherServer(status)) {
    return "give the address of kvs_server, which is not that of txn_server; `kvs doctor` tells what is there";
  }
  return {};
}

std::string ErrorAsJson(const absl::Status& status, const Settings& settings) {
  JsonObject metadata;
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload(kErrorInfoTypeUrl);
  if (payload && info.ParseFromString(std::string(*payload))) {
    const std::map<std::string, std::string> ordered(info.metadata().begin(), info.metadata().end());
    for (const auto& [name, value] : ordered) metadata.Add(name, value);
  }
  if (ExitStatusOf(status) == kUnreachable || IsOtherServer(status)) {
    metadata.Add("address", settings.address.value).Add("address_source", settings.address.source);
  }
  JsonObject error;
  error.Add("code", absl::StatusCodeToString(status.code()))
      .Add("reason", ReasonOf(status))
      .Add("message", MessageOf(status, settings))
      .AddJson("metadata", metadata.ToString());
  if (const auto failure = client::PreconditionFailureOf(status))
    error.AddJson("preconditionFailure", JsonOf(*failure));
  return error.ToString();
}

}  // namespace

void Output::Result(const google::protobuf::Message& message, absl::string_view text) {
  Line(out_, format_ == Format::kJson ? JsonOf(message) : text);
}

void Output::Part(const google::protobuf::Message& message, absl::string_view text) {
  if (format_ == Format::kJson) {
    Line(out_, JsonOf(message));
  } else {
    out_ << text;
  }
}

void Output::Result(absl::string_view json, absl::string_view text) {
  Line(out_, format_ == Format::kJson ? json : text);
}

bool Output::Flush() { return out_.flush().good(); }

void Output::Plain(absl::string_view text) { out_ << text; }

void Output::Error(const absl::Status& status, const Settings& settings, const AdviceFor& advice_for) {
  if (format_ == Format::kJson) {
    Line(err_, ErrorAsJson(status, settings));
    return;
  }
  Line(err_, absl::StrCat("kvs: ", WithoutControls(MessageOf(status, settings))));
  if (IsAboutSettings(status)) err_ << Describe(settings);
  const std::string next = NextStep(status, advice_for);
  if (!next.empty()) Line(err_, absl::StrCat("next: ", next));
}

void Output::Note(absl::string_view text) {
  if (format_ == Format::kText) Line(err_, absl::StrCat("kvs: ", WithoutControls(text)));
}

std::string Counted(uint64_t count, absl::string_view thing) {
  return absl::StrCat(count, " ", thing, count == 1 ? "" : "s");
}

std::string OnOneLine(absl::string_view text) { return WithoutControls(absl::StrReplaceAll(text, {{"\\", "\\\\"}})); }

}  // namespace kvs::cli
