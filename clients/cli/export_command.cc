// export: keys with their values as lines of JSON.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/export_format.h"
#include "clients/cli/json.h"
#include "clients/cli/types.h"

namespace kvs::cli {
namespace {

std::string MarkerLine(absl::string_view marker, absl::string_view name, uint64_t number) {
  JsonObject about;
  about.Add(name, number);
  JsonObject line;
  line.AddJson(marker, about.ToString());
  return absl::StrCat(line.ToString(), "\n");
}

// An entry as a line. The JSON mapping of protobuf reads the number -0 as 0, but the text "-0" as what it is.
std::string EntryLine(const v1::ScanEntry& entry) {
  std::string line = JsonOf(entry);
  const double number = entry.value().float_value();
  if (number == 0 && std::signbit(number)) {
    line = absl::StrReplaceAll(line, {{"\"floatValue\":-0}", "\"floatValue\":\"-0\"}"}});
  }
  return absl::StrCat(line, "\n");
}

// Of how many keys the progress is told; 0 if nobody knows.
uint64_t ExpectedKeys(const client::Client& client, const v1::KeysScanRequest& request) {
  if (!request.prefix().empty()) return 0;
  const std::vector<int> numbers(request.types().begin(), request.types().end());
  std::vector<v1::ValueType> types;
  for (const int number : numbers) types.push_back(static_cast<v1::ValueType>(number));
  const auto count = client.keys().Count(types);
  return count.ok() ? count->count() : 0;
}

absl::StatusOr<int> RunExport(const Context& context) {
  v1::KeysScanRequest request;
  request.set_prefix(context.FlagValue("prefix").value_or(""));
  if (const auto flag = context.flags.find("type"); flag != context.flags.end()) {
    const auto types = ParseTypes(flag->second);
    if (!types.ok()) return types.status();
    request.mutable_types()->Assign(types->begin(), types->end());
  }
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  ProgressBar progress(context.environment.err, context.progress_style());
  const uint64_t expected = ExpectedKeys(*client, request);
  uint64_t revision = 0;
  uint64_t keys = 0;
  const absl::Status status = client->keys().ScanParts(request, [&](const v1::KeysScanResponse& part) {
    if (part.has_revision()) {
      revision = part.revision();
      context.output.Plain(MarkerLine(kExportBegin, "revision", revision));
    }
    for (const v1::ScanEntry& entry : part.entries()) {
      context.output.Plain(EntryLine(entry));
      if (!entry.more()) ++keys;
    }
    progress.Show("exporting keys", keys, expected);
    return context.environment.out.good();
  });
  progress.Clear();
  if (!status.ok()) return WithPlace(status, absl::StrCat("the export broke off after ", Counted(keys, "key")));
  context.output.Plain(MarkerLine(kExportEnd, "keys", keys));
  if (!context.output.Flush()) {
    return WithPlace(absl::AbortedError("cannot write to the standard output"), "the export is not whole");
  }
  context.output.Note(absl::StrCat("exported ", Counted(keys, "key"), ", as they were at revision ", revision));
  return kSuccess;
}

}  // namespace

std::vector<Command> ExportCommands() {
  return {
      {.name = "export",
       .summary = "write keys with their values as lines of JSON",
       .details = "All keys as they were at one moment, whatever changes meanwhile. `kvs import` reads the lines; the\n"
                  "last one tells that nothing is missing.",
       .example = "kvs export > all.jsonl\n"
                  "kvs export --prefix host: --type map > hosts.jsonl",
       .flags = {{"prefix", "TEXT", "only keys that begin with this", Kind::kText},
                 {"type", "TYPE", "only this type; may be given several times", Kind::kType}},
       .run = RunExport},
  };
}

}  // namespace kvs::cli
