#include "tests/support/linearizability/history.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "tests/support/api_client.h"

namespace kvs::linearizability {
namespace {

const char* NameOf(CallKind kind) {
  switch (kind) {
    case CallKind::kSingle:
      return "alone";
    case CallKind::kAtomic:
      return "atomic batch";
    case CallKind::kIndependent:
      return "independent batch";
  }
  return "?";
}

std::string OutcomeText(const Call& call) {
  switch (call.outcome) {
    case Outcome::kAnswered:
      return TextOf(call.Answer());
    case Outcome::kFailed:
      return absl::StrCat("failed: ", rpc::FromProto(call.Error()).ToString());
    case Outcome::kRefused:
      return absl::StrCat("refused: ", rpc::FromProto(call.Error()).ToString());
    case Outcome::kUnknown:
      return absl::StrCat("unknown: ", rpc::FromProto(call.Error()).ToString());
  }
  return "?";
}

}  // namespace

Outcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return Outcome::kAnswered;
  for (const ErrorKind& kind : {errors::kKeyNotFound, errors::kKeyExists, errors::kRevisionMismatch}) {
    if (Is(status, kind)) return Outcome::kFailed;
  }
  // An error without a reason comes from the transport, which does not know.
  if (ReasonOf(status).empty() || Is(status, errors::kOutcomeUnknown)) return Outcome::kUnknown;
  return Outcome::kRefused;
}

std::string Describe(const History& history, size_t index) {
  const Call& call = history[index];
  const auto millis = [&](int64_t nanos) { return static_cast<double>(nanos - history[0].invoked_nanos) / 1e6; };
  return absl::StrFormat("call %d of client %d, %s, %.6f to %.6f ms\n    asked: %s\n    told:  %s", index, call.client,
                         NameOf(call.kind), millis(call.invoked_nanos), millis(call.returned_nanos),
                         TextOf(call.Request()), OutcomeText(call));
}

}  // namespace kvs::linearizability
