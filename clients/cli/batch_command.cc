// batch: operations from lines of JSON.
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <istream>
#include <ostream>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "clients/cpp/batch.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

// What an independent batch takes at a time, well below what a request may have.
constexpr int kPartOperations = 1000;
constexpr size_t kPartBytes = kMiB;

// Operations, and the line that each came from.
struct Part {
  v1::BatchExecuteRequest request;
  std::vector<int> lines;
  size_t bytes = 0;

  bool is_full() const { return request.operations_size() >= kPartOperations || bytes >= kPartBytes; }
  std::string Lines() const { return absl::StrCat("lines ", lines.front(), " to ", lines.back()); }
};

class Reader {
 public:
  explicit Reader(std::istream* in) : in_(*in) {}

  // Reads operations into `part`, all there are or until it is full. False at the end of the input.
  absl::StatusOr<bool> Read(bool all, Part* part) {
    for (std::string text; std::getline(in_, text);) {
      ++line_;
      const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
      if (trimmed.empty()) continue;
      v1::BatchOperation* operation = part->request.add_operations();
      const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(trimmed), operation);
      if (!parsed.ok()) {
        return UsageError(absl::StrCat("line ", line_, " is no operation as JSON: ", std::string(parsed.message()),
                                       "; write one as {\"intPut\":{\"key\":\"a\",\"value\":\"1\"}}"));
      }
      part->lines.push_back(line_);
      part->bytes += operation->ByteSizeLong();
      if (!all && part->is_full()) return true;
    }
    return false;
  }

 private:
  std::istream& in_;
  int line_ = 0;
};

void Print(const Context& context, const v1::BatchResult& result) {
  context.output.Plain(absl::StrCat(JsonOf(result), "\n"));
}

// Sends a part until all of it was done, also where its results do not fit into one reply, and prints the results.
// Returns whether all operations succeeded.
absl::StatusOr<bool> SendIndependent(const Context& context, const client::Client& client, Part part) {
  bool succeeded = true;
  while (part.request.operations_size() > 0) {
    const auto response = client.batch().Execute(part.request);
    if (!response.ok()) return WithPlace(response.status(), part.Lines());
    int done = 0;
    for (const v1::BatchResult& result : response->results()) {
      const absl::Status status = client::StatusOf(result);
      if (done > 0 && Is(status, errors::kReplyTooLarge)) break;
      succeeded &= status.ok();
      Print(context, result);
      ++done;
    }
    part.request.mutable_operations()->DeleteSubrange(0, done);
    part.lines.erase(part.lines.begin(), part.lines.begin() + done);
  }
  return succeeded;
}

absl::StatusOr<int> RunIndependent(const Context& context, const client::Client& client) {
  Reader reader(&context.environment.in);
  bool succeeded = true;
  for (bool more = true; more;) {
    Part part;
    const absl::StatusOr<bool> read = reader.Read(/*all=*/false, &part);
    if (!read.ok()) return read.status();
    more = *read;
    const absl::StatusOr<bool> sent = SendIndependent(context, client, std::move(part));
    if (!sent.ok()) return sent.status();
    succeeded &= *sent;
  }
  return succeeded ? kSuccess : kRefused;
}

absl::StatusOr<int> RunAtomic(const Context& context, const client::Client& client) {
  Part part;
  const absl::StatusOr<bool> read = Reader(&context.environment.in).Read(/*all=*/true, &part);
  if (!read.ok()) return read.status();
  part.request.set_atomic(true);
  part.request.set_request_id(context.mutation.request_id);
  const auto response = client.batch().Execute(part.request);
  if (!response.ok()) {
    const std::optional<int> failed = client::FailedOperation(response.status());
    const bool is_known = failed && *failed >= 0 && *failed < static_cast<int>(part.lines.size());
    return is_known ? WithPlace(response.status(), absl::StrCat("line ", part.lines[*failed])) : response.status();
  }
  for (const v1::BatchResult& result : response->results()) Print(context, result);
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
           "results; it ends with 1 if there are any. With --atomic, up to 10,000 operations are all done, or\n"
           "none of them is.",
       .example = "kvs batch < operations.jsonl\n"
                  "kvs batch --atomic < transfer.jsonl",
       .flags = {{"atomic", "", "all or nothing, at one moment"}},
       .changes = true,
       .has_own_conditions = true,
       .run = RunBatch},
  };
}

}  // namespace kvs::cli
