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
  if (!type) return absl::OkStatus();
  const bool is_of_all_types =
      options->verb == bench::Verb::kMixed && options->via != bench::Via::kUnary && options->via != bench::Via::kMulti;
  if (is_of_all_types) return UsageError("mixed in batches is of ints, strings and maps: leave --type out");
  return SetWord("--type", *type, bench::kTypes, &options->type);
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

// Why there is no server, told at once, where there is none: many connections at a time would wait for one to come.
absl::Status CheckServer(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::Status status = client->maintenance().Echo("").status();
  return Is(status, errors::kUnreachable) ? status : absl::OkStatus();
}

// What there is to say about a load beside its numbers.
void TellAbout(const Context& context, const bench::LoadResult& result) {
  if (result.messages == 0) context.output.Note("nothing was measured: it was over before the end of the warm-up");
  if (!Is(result.first_error, errors::kKeyNotFound)) return;
  context.output.Note(absl::StrCat("keys that are not there count as errors; ",
                                   context.flags.contains("fill")
                                       ? "all were put first, so some were removed since: is there a limit of memory?"
                                       : "--fill puts every key first"));
}

absl::StatusOr<int> RunBench(const Context& context) {
  const auto connection = ClientOptions(context.settings);
  if (!connection.ok()) return connection.status();
  const auto options = OptionsOf(context, connection->timeout);
  if (!options.ok()) return options.status();
  if (const absl::Status there = CheckServer(context); !there.ok()) return there;
  const auto make_channel = [&connection] { return client::MakeChannel(*connection, client::ChannelUse::kLoad); };
  if (context.flags.contains("fill")) {
    const absl::Status filled = PutAllKeys(context, *options, make_channel);
    if (!filled.ok()) return filled;
  }
  const auto result = bench::RunLoad(*options, bench::MakeWorkload(*options), make_channel);
  if (!result.ok()) return result.status();
  if (result->messages > 0) context.output.Result(bench::Json(*result), bench::Text(*result));
  TellAbout(context, *result);
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
           "it, so many messages are due each second whatever happens, and a latency counts from the time at which\n"
           "its message was due. Messages have one operation, or --batch, which travel --via calls with many keys\n"
           "(multi), Batch.Execute (batch, atomic) or the stream Batch.Pipeline (pipeline).\n"
           "mixed reads and puts; via batch, atomic and pipeline its operations are of ints, strings and maps.\n"
           "Ends with 1 if operations failed, which is so for keys that are not there. It gives up when a thousand\n"
           "calls fail in a row, a stream breaks or nothing is answered for --timeout, and tells what it measured\n"
           "before, if that was not the warm-up; if no server was there any more, it ends with 3. Failed operations\n"
           "and unsent messages are counted in the warm-up too.",
       .example = "kvs bench get --fill --duration 5s\n"
                  "kvs bench put --outstanding 256 --duration 30s\n"
                  "kvs bench get --fill --batch 100 --via pipeline\n"
                  "kvs bench mixed --reads 90 --rate 10000 --output json",
       .min_arguments = 1,
       .max_arguments = 1,
       .flags = {{"fill", "", "put every key first"},
                 {"type", "TYPE", "int or string; string if not given, int for incr", Kind::kType},
                 {"via", "HOW", "unary, multi, batch, atomic or pipeline; multi if there is a --batch", Kind::kWords,
                  bench::kVias},
                 {"batch", "N", "operations in a message, up to 10000 and 2 MiB; 1 if not given", Kind::kText},
                 {"reads", "PERCENT", "of mixed, how many operations read; 50 if not given", Kind::kText},
                 {"keys", "N", "how many keys; 1000000 if not given", Kind::kText},
                 {"key-size", "BYTES", "of each key; 16 if not given", Kind::kText},
                 {"value-size", "BYTES", "of each string and field; 32 if not given", Kind::kText},
                 {"connections", "N", "how many; 4 if not given", Kind::kText},
                 {"outstanding", "N",
                  "messages under way at a time, over all connections, of which it is a multiple; 64 if not given",
                  Kind::kText},
                 {"threads", "N", "how many make the load, --connections being a multiple of it; 1 if not given",
                  Kind::kText},
                 {"rate", "N",
                  "messages a second, at most so many under way as --outstanding says; 0 for as many as it can",
                  Kind::kText},
                 {"duration", "TIME", "how long to measure; 10s if not given", Kind::kText},
                 {"warmup", "TIME", "how long before that; 1s if not given", Kind::kText}},
       .completion = Kind::kWords,
       .words = bench::kVerbs,
       .run = RunBench},
  };
}

}  // namespace kvs::cli
