// batch: operations from lines of JSON.
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/util/json_util.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/input.h"
#include "clients/cli/json.h"
#include "clients/cpp/batch.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

// Operations, and the line that each came from.
struct Part {
  // What an independent batch takes at a time, well below what a request may have.
  static constexpr int kOperations = 1000;
  static constexpr size_t kBytes = kMiB;

  v1::BatchExecuteRequest request;
  std::vector<int> lines;
  size_t bytes = 0;

  bool is_full() const { return request.operations_size() >= kOperations || bytes >= kBytes; }
};

// Whether an operation on many keys has failed for some of them.
bool HasFailedKeys(const v1::BatchResult& result) {
  const auto* reflection = result.GetReflection();
  const auto* which = reflection->GetOneofFieldDescriptor(result, result.GetDescriptor()->FindOneofByName("result"));
  if (which == nullptr) return false;
  const auto* errors = which->message_type()->FindFieldByName("errors");
  if (errors == nullptr) return false;
  const google::protobuf::Message& response = reflection->GetMessage(result, which);
  return response.GetReflection()->FieldSize(response, errors) > 0;
}

class Reader {
 public:
  explicit Reader(Input* in) : lines_(in) {}

  // Reads operations into `part`: all there are, or until it is full or nothing more is at hand. False at the end of
  // the input. At an error the part has what came before it.
  absl::StatusOr<bool> Read(bool all, Part* part) {
    for (std::string text;;) {
      const absl::StatusOr<bool> more = lines_.Next(&text);
      if (!more.ok() || !*more) return more;
      const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
      if (!trimmed.empty()) {
        if (absl::Status status = Add(std::string(trimmed), part); !status.ok()) return status;
      }
      if (!all && (part->is_full() || !lines_.IsReady())) return true;
    }
  }

 private:
  absl::Status Add(const std::string& text, Part* part) const {
    v1::BatchOperation operation;
    const auto parsed = google::protobuf::util::JsonStringToMessage(text, &operation);
    if (!parsed.ok()) {
      return UsageError(absl::StrCat("line ", lines_.number(),
                                     " is no operation as JSON: ", std::string(parsed.message()),
                                     "; write one as {\"intPut\":{\"key\":\"a\",\"value\":\"1\"}}"));
    }
    const size_t bytes = operation.ByteSizeLong();
    if (bytes > client::kMaxBatchBytes) {
      return UsageError(absl::StrCat("line ", lines_.number(), " is an operation of ", bytes,
                                     " bytes, and a request has room for 4 MiB: divide it into several"));
    }
    part->bytes += bytes;
    part->lines.push_back(lines_.number());
    *part->request.add_operations() = std::move(operation);
    return absl::OkStatus();
  }

  LineReader lines_;
};

// Sends operations that are independent, and prints their results.
class Sender {
 public:
  Sender(const Context* context, const client::Client* client) : context_(*context), client_(*client) {}

  // Whether all of them succeeded.
  bool has_succeeded() const { return has_succeeded_; }

  // Sends a part until all of it has its results. An error is the end, and tells what was done before it.
  absl::Status Send(Part part) {
    if (part.bytes > client::kMaxBatchBytes && part.lines.size() > 1) return SendLastAlone(std::move(part));
    while (!part.lines.empty()) {
      const auto response = client_.batch().Execute(part.request);
      if (!response.ok()) {
        const absl::string_view them = part.lines.size() == 1 ? "it" : "them";
        const std::string before = answered_ == 0 ? "" : absl::StrCat(Answered("before ", them), ", ");
        return WithEnd(WithPlace(response.status(), LinesText(part.lines.front(), part.lines.back())),
                       absl::StrCat(before, "nothing after ", them, " was sent"));
      }
      if (absl::Status status = Take(*response, &part); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // The error of the line that ends the input, after all those before it were sent.
  absl::Status AtBadLine(const absl::Status& status) const {
    if (answered_ == 0) return WithEnd(status, "nothing was done");
    return WithEnd(status, absl::StrCat(Answered("before ", "it"), ", nothing after that was done"));
  }

 private:
  // One that is large does not fit into a request with those before it.
  absl::Status SendLastAlone(Part part) {
    Part last;
    last.lines = {part.lines.back()};
    last.request.mutable_operations()->AddAllocated(part.request.mutable_operations()->ReleaseLast());
    last.bytes = last.request.ByteSizeLong();
    part.lines.pop_back();
    part.bytes -= last.bytes;
    if (absl::Status status = Send(std::move(part)); !status.ok()) return status;
    return Send(std::move(last));
  }

  // Prints the results of a reply and takes their operations out of the part: those that it had no room for stay.
  absl::Status Take(const v1::BatchExecuteResponse& response, Part* part) {
    absl::Status unsettled;
    int taken = 0;
    for (const v1::BatchResult& result : response.results()) {
      const absl::Status status = client::StatusOf(result);
      if (taken > 0 && Is(status, errors::kReplyTooLarge)) break;
      has_succeeded_ &= status.ok() && !HasFailedKeys(result);
      context_.output.Plain(absl::StrCat(JsonOf(result), "\n"));
      last_line_ = part->lines[taken++];
      if (unsettled.ok() && ExitStatusOf(status) == kUnreachable) {
        unsettled = WithPlace(status, LinesText(last_line_, last_line_));
      }
    }
    answered_ += taken;
    part->request.mutable_operations()->DeleteSubrange(0, taken);
    part->lines.erase(part->lines.begin(), part->lines.begin() + taken);
    if (unsettled.ok() && !context_.output.Flush()) {
      unsettled = absl::AbortedError("cannot write to the standard output");
    }
    if (unsettled.ok()) return unsettled;
    return WithEnd(unsettled,
                   absl::StrCat(Answered("up to line ", absl::StrCat(last_line_)), ", nothing after that was done"));
  }

  // "the 7 operations before it have their results".
  std::string Answered(absl::string_view where, absl::string_view what) const {
    return absl::StrCat("the ", Counted(answered_, "operation"), " ", where, what,
                        answered_ == 1 ? " has its result" : " have their results");
  }

  const Context& context_;
  const client::Client& client_;
  int answered_ = 0;
  int last_line_ = 0;  // of those
  bool has_succeeded_ = true;
};

absl::StatusOr<int> RunIndependent(const Context& context, const client::Client& client) {
  Reader reader(&context.environment.in);
  Sender sender(&context, &client);
  for (bool more = true; more;) {
    Part part;
    const absl::StatusOr<bool> read = reader.Read(/*all=*/false, &part);
    if (absl::Status status = sender.Send(std::move(part)); !status.ok()) return status;
    if (!read.ok()) return sender.AtBadLine(read.status());
    more = *read;
  }
  return sender.has_succeeded() ? kSuccess : kRefused;
}

absl::StatusOr<int> RunAtomic(const Context& context, const client::Client& client) {
  Part part;
  const absl::StatusOr<bool> read = Reader(&context.environment.in).Read(/*all=*/true, &part);
  if (!read.ok()) return WithEnd(read.status(), "nothing was done");
  if (part.bytes > client::kMaxBatchBytes) {
    return UsageError(absl::StrCat("nothing was done: the operations take ", part.bytes,
                                   " bytes together, and an atomic batch has room for 4 MiB: divide it into several"));
  }
  part.request.set_atomic(true);
  part.request.set_request_id(context.mutation.request_id);
  const auto response = client.batch().Execute(part.request);
  if (!response.ok()) {
    const std::optional<int> failed = client::FailedOperation(response.status());
    const bool is_known = failed && *failed >= 0 && *failed < static_cast<int>(part.lines.size());
    return is_known ? WithPlace(response.status(), absl::StrCat("line ", part.lines[*failed])) : response.status();
  }
  for (const v1::BatchResult& result : response->results()) {
    context.output.Plain(absl::StrCat(JsonOf(result), "\n"));
  }
  return kSuccess;
}

absl::StatusOr<int> RunBatch(const Context& context) {
  const bool is_atomic = context.flags.count("atomic") != 0;
  if (!is_atomic && !context.mutation.request_id.empty()) {
    return UsageError(
        "--request-id needs --atomic; without it, each line can have a requestId of its own, as "
        "{\"intPut\":{\"key\":\"a\",\"value\":\"1\",\"requestId\":\"7\"}}");
  }
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return is_atomic ? RunAtomic(context, *client) : RunIndependent(context, *client);
}

}  // namespace

std::vector<Command> BatchCommands() {
  return {
      {.name = "batch",
       .summary = "do operations that come as lines of JSON",
       .details =
           "Reads one operation a line from the input, as {\"intPut\":{\"key\":\"a\",\"value\":\"1\"}}, and prints\n"
           "one result a line, in that order. Each is done by itself, and those that fail are told in their\n"
           "results; it ends with 1 if there are any. Results come whenever the input pauses. A line that is no\n"
           "operation ends it: those before it are done then, none after it. With --atomic, up to 10,000\n"
           "operations are all done, or none of them is.",
       .example = "kvs batch < operations.jsonl\n"
                  "kvs batch --atomic < transfer.jsonl",
       .flags = {{"atomic", "", "all or nothing, at one moment"}},
       .changes = true,
       .has_own_conditions = true,
       .run = RunBatch},
  };
}

}  // namespace kvs::cli
