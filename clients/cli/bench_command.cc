// bench: load on a running server, and how it is answered.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "clients/bench/load.h"
#include "clients/bench/report.h"
#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cpp/channel.h"
#include "common/config/values.h"
#include "common/errors.h"

namespace kvs::cli {
namespace {

struct NumberFlag {
  absl::string_view name;
  uint64_t bench::Options::* number;
};
constexpr NumberFlag kNumberFlags[] = {
    {"batch", &bench::Options::batch},
    {"reads", &bench::Options::reads},
    {"keys", &bench::Options::keys},
    {"key-size", &bench::Options::key_size},
    {"value-size", &bench::Options::value_size},
    {"connections", &bench::Options::connections},
    {"outstanding", &bench::Options::outstanding},
    {"threads", &bench::Options::threads},
    {"rate", &bench::Options::rate},
};

struct DurationFlag {
  absl::string_view name;
  absl::Duration bench::Options::* duration;
};
constexpr DurationFlag kDurationFlags[] = {
    {"duration", &bench::Options::duration},
    {"warmup", &bench::Options::warmup},
};

// Sets `value` to the one whose word it is.
template <class Enum>
absl::Status SetWord(absl::string_view what, absl::string_view word, absl::string_view words, Enum* value) {
  const std::vector<std::string> all = absl::StrSplit(words, ' ');
  const auto found = std::find(all.begin(), all.end(), word);
  if (found == all.end()) return UsageError(absl::StrCat(what, " is one of ", words, ", not ", word));
  *value = static_cast<Enum>(found - all.begin());
  return absl::OkStatus();
}

absl::Status SetWords(const Context& context, bench::Options* options) {
  const absl::Status verb = SetWord("what to do", context.arguments[0], bench::kVerbs, &options->verb);
  if (!verb.ok()) return verb;
  if (options->verb != bench::Verb::kMixed && context.FlagValue("reads")) return UsageError("--reads is for mixed");
  if (options->verb == bench::Verb::kIncr) options->type = bench::Type::kInt;
  if (context.FlagValue("batch").has_value()) options->via = bench::Via::kMulti;
  if (const auto via = context.FlagValue("via")) {
    const absl::Status known = SetWord("--via", *via, bench::kVias, &options->via);
    if (!known.ok()) return known;
  }
  const auto type = context.FlagValue("type");
  return type ? SetWord("--type", *type, bench::kTypes, &options->type) : absl::OkStatus();
}

template <class T>
absl::Status SetValue(const Context& context, absl::string_view name, absl::StatusOr<T> (*parse)(absl::string_view),
                      T* value) {
  const auto text = context.FlagValue(std::string(name));
  if (!text) return absl::OkStatus();
  const absl::StatusOr<T> parsed = parse(*text);
  if (!parsed.ok()) return UsageError(absl::StrCat("--", name, "=", *text, ": ", parsed.status().message()));
  *value = *parsed;
  return absl::OkStatus();
}

absl::StatusOr<bench::Options> OptionsOf(const Context& context, absl::Duration timeout) {
  bench::Options options;
  options.patience = timeout;
  absl::Status status = SetWords(context, &options);
  for (const NumberFlag& flag : kNumberFlags) {
    if (status.ok()) status = SetValue<uint64_t>(context, flag.name, ParseInteger, &(options.*flag.number));
  }
  for (const DurationFlag& flag : kDurationFlags) {
    if (status.ok()) status = SetValue<absl::Duration>(context, flag.name, ParseDuration, &(options.*flag.duration));
  }
  if (!status.ok()) return status;
  if (const absl::Status checked = bench::Check(options); !checked.ok()) return UsageError(checked.message());
  return options;
}

// An error with the first reason if an operation failed.
absl::Status PutAllKeys(const Context& context, const bench::Options& options, bench::MakeChannel make_channel) {
  context.output.Note(absl::StrCat("putting ", options.keys, " keys first"));
  for (const bench::Fill& fill : bench::MakeFills(options)) {
    const auto result = bench::RunFill(options, fill, make_channel);
    if (!result.ok()) return result.status();
    if (!result->failure.ok()) return result->failure;
    if (result->failed_operations == 0) continue;
    return absl::AbortedError(absl::StrCat("could not put every key: ", result->first_error.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunBench(const Context& context) {
  const auto connection = ClientOptions(context.settings);
  if (!connection.ok()) return connection.status();
  const auto options = OptionsOf(context, connection->timeout);
  if (!options.ok()) return options.status();
  const auto make_channel = [&connection] { return client::MakeChannel(*connection, client::ChannelUse::kLoad); };
  if (context.flags.contains("fill")) {
    const absl::Status filled = PutAllKeys(context, *options, make_channel);
    if (!filled.ok()) return filled;
  }
  const auto result = bench::RunLoad(*options, bench::MakeWorkload(*options), make_channel);
  if (!result.ok()) return result.status();
  if (result->messages > 0) context.output.Result(bench::Json(*result), bench::Text(*result));
  if (Is(result->first_error, errors::kKeyNotFound)) {
    context.output.Note("keys that are not there count as errors; --fill puts every key first");
  }
  if (!result->failure.ok()) return result->failure;
  return result->failed_operations == 0 ? kSuccess : kRefused;
}

}  // namespace

std::vector<Command> BenchCommands() {
  return {
      {.name = "bench",
       .arguments = "get|put|incr|mixed",
       .summary = "put load on the server, and measure how it is answered",
       .details =
           "Reads or changes keys named bench:0000000000 and so on, drawn uniformly; with --fill they are all put\n"
           "first. They stay there afterwards, so choose a server whose data does not matter.\n"
           "Without --rate each of the outstanding messages is followed by the next one when it is answered. With\n"
           "it, so many messages are sent each second whatever happens, and a latency counts from the time at which\n"
           "its message was due. Messages have one operation, or --batch, which travel --via calls with many keys\n"
           "(multi), Batch.Execute (batch, atomic) or the stream Batch.Pipeline (pipeline).\n"
           "mixed reads and puts; via batch, atomic and pipeline its operations are of ints, strings and maps.\n"
           "Ends with 1 if operations failed, which is so for keys that are not there. It gives up when a thousand\n"
           "calls fail in a row, a stream breaks or nothing is answered for --timeout, and tells what it measured "
           "before.",
       .example = "kvs bench get --fill --duration 5s\n"
                  "kvs bench put --outstanding 256 --duration 30s\n"
                  "kvs bench get --batch 100 --via pipeline\n"
                  "kvs bench mixed --reads 90 --rate 10000 --output json",
       .min_arguments = 1,
       .max_arguments = 1,
       .flags = {{"fill", "", "put every key first"},
                 {"type", "TYPE", "int or string; string if not given, int for incr", Kind::kType},
                 {"via", "HOW", "unary, multi, batch, atomic or pipeline; multi if there is a --batch", Kind::kWords,
                  bench::kVias},
                 {"batch", "N", "operations in a message, up to 10000; 1 if not given", Kind::kText},
                 {"reads", "PERCENT", "of mixed, how many operations read; 50 if not given", Kind::kText},
                 {"keys", "N", "how many keys; 1000000 if not given", Kind::kText},
                 {"key-size", "BYTES", "of each key; 16 if not given", Kind::kText},
                 {"value-size", "BYTES", "of each string and field; 32 if not given", Kind::kText},
                 {"connections", "N", "how many; 4 if not given", Kind::kText},
                 {"outstanding", "N", "messages under way at a time, over all connections; 64 if not given",
                  Kind::kText},
                 {"threads", "N", "how many make the load; 1 if not given", Kind::kText},
                 {"rate", "N", "messages a second, at most so many under way as --outstanding says", Kind::kText},
                 {"duration", "TIME", "how long to measure; 10s if not given", Kind::kText},
                 {"warmup", "TIME", "how long before that; 1s if not given", Kind::kText}},
       .completion = Kind::kWords,
       .words = bench::kVerbs,
       .run = RunBench},
  };
}

}  // namespace kvs::cli
