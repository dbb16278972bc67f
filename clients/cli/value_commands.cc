// put, get, del, incr, decr, append: what the types have in common on the command line.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <fstream>
#include <limits>
#include <vector>

#include "clients/cli/collection_commands.h"
#include "clients/cli/commands.h"
#include "clients/cli/condition.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/input.h"
#include "clients/cli/suggest.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"
#include "common/errors.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

// TYPE KEY and what follows.
struct Target {
  ValueType type;
  std::string key;
  std::vector<std::string> rest;
};

std::optional<std::string> GuessWithType(absl::string_view verb, ValueType type, std::vector<std::string> words) {
  words.insert(words.begin(), std::string(TypeName(type)));
  return absl::StrCat(verb, " ", ShellJoined(words));
}

bool IsType(const std::string& word) { return ParseType(word).ok(); }

// Whoever leaves the type out gets it by the look of the value. Whoever misspells it does not: what is a value here was
// to be a key. A number that nothing follows is a value all the same.
std::optional<std::string> GuessPut(const std::vector<std::string>& words) {
  if (words.size() < 2 || IsType(words[0])) return std::nullopt;
  const bool is_number_alone = words.size() == 2 && GuessType(words[1]) != ValueType::kString;
  if (NearestTypeName(words[0]) && !is_number_alone) return std::nullopt;
  if (words.size() == 2) return GuessWithType("put", GuessType(words[1]), words);
  const bool has_fields = ParseFields(absl::MakeConstSpan(words).subspan(1)).ok();
  return GuessWithType("put", has_fields ? ValueType::kMap : ValueType::kSet, words);
}

// A key alone may be that of an int.
std::optional<std::string> GuessOfKey(absl::string_view verb, const std::vector<std::string>& words) {
  if (words.size() != 1 || IsType(words[0])) return std::nullopt;
  return GuessWithType(verb, ValueType::kInt, words);
}

std::optional<std::string> GuessGet(const std::vector<std::string>& words) { return GuessOfKey("get", words); }

// A key alone, or with a number.
std::optional<std::string> GuessOfNumber(absl::string_view verb, const std::vector<std::string>& words) {
  if (words.size() != 2 || IsType(words[0])) return GuessOfKey(verb, words);
  const ValueType type = GuessType(words[1]);
  if (type != ValueType::kInt && type != ValueType::kFloat) return std::nullopt;
  return GuessWithType(verb, type, words);
}

std::optional<std::string> GuessIncr(const std::vector<std::string>& words) { return GuessOfNumber("incr", words); }

std::optional<std::string> GuessDecr(const std::vector<std::string>& words) { return GuessOfNumber("decr", words); }

std::optional<std::string> GuessDel(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "all") return std::nullopt;
  return GuessOfKey("del", words);
}

std::optional<std::string> GuessAppend(const std::vector<std::string>& words) {
  if (words.size() != 2 || IsType(words[0])) return std::nullopt;
  return GuessWithType("append", ValueType::kString, words);
}

absl::StatusOr<Target> TargetOf(const Context& context, std::optional<std::string> guess) {
  const auto& words = context.arguments;
  const auto type = ParseType(words[0]);
  if (type.ok()) return Target{*type, words[1], {words.begin() + 2, words.end()}};
  if (!guess) return type.status();
  return UsageError(absl::StrCat("the type goes before the key; did you mean `kvs ", *guess, "`?"));
}

template <typename T>
absl::StatusOr<int> Done(const Context& context, const absl::StatusOr<T>& response, absl::string_view text) {
  if (!response.ok()) return response.status();
  context.output.Result(*response, text);
  return kSuccess;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(max_bytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad() || !file.is_open()) return UsageError(absl::StrCat("cannot read the file ", path));
  return text;
}

// The text that a command stores: its argument, or with --file what the file holds.
absl::StatusOr<std::string> TextOf(const Context& context, const std::vector<std::string>& rest) {
  const auto path = context.FlagValue("file");
  if (path.has_value() == !rest.empty() || rest.size() > 1) {
    return UsageError("a string is one VALUE, in quotes where it has spaces, or --file FILE");
  }
  if (!path) return rest[0];
  auto text = *path == "-" ? ReadText(context.environment.in, kMaxValueBytes + 1) : ReadFile(*path, kMaxValueBytes + 1);
  if (text.ok() && text->size() > kMaxValueBytes) {
    return UsageError(absl::StrCat(*path, " holds more than 1 MiB, the limit of a string"));
  }
  return text;
}

absl::Status OneValue(const Target& target) {
  if (target.rest.size() == 1) return absl::OkStatus();
  if (target.rest.empty()) {
    return UsageError(absl::StrCat("VALUE is missing; it is `kvs put ", TypeName(target.type), " KEY VALUE`"));
  }
  return UsageError(absl::StrCat("there is more than one value for the ", TypeName(target.type), " ",
                                 ShellQuoted(target.key), ": ", ShellJoined(target.rest)));
}

template <typename T>
absl::StatusOr<int> Stored(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(
      *response, absl::StrCat(response->replaced() ? "replaced" : "stored", ", revision ", response->revision()));
  return kSuccess;
}

template <typename T, typename Store>
absl::StatusOr<int> PutNumber(const Context& context, const Target& target,
                              absl::StatusOr<T> (*parse)(absl::string_view),
                              const Store& (client::Client::*store)() const) {
  const absl::Status one = OneValue(target);
  if (!one.ok()) return one;
  const auto value = parse(target.rest[0]);
  if (!value.ok()) return value.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Stored(context, ((*client).*store)().Put(target.key, *value, context.mutation));
}

absl::StatusOr<int> PutString(const Context& context, const Target& target) {
  const auto text = TextOf(context, target.rest);
  if (!text.ok()) return text.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Stored(context, client->strings().Put(target.key, *text, context.mutation));
}

absl::StatusOr<int> PutMap(const Context& context, const Target& target) {
  const auto fields = ParseFields(target.rest, context.flags.count("escaped") != 0);
  if (!fields.ok()) return fields.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Stored(context, client->maps().Put(target.key, *fields, context.mutation));
}

absl::StatusOr<int> PutSet(const Context& context, const Target& target) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Stored(context, client->sets().Put(target.key, target.rest, context.mutation));
}

absl::StatusOr<int> PutValue(const Context& context) {
  const auto target = TargetOf(context, GuessPut(context.arguments));
  if (!target.ok()) return target.status();
  if (target->type != ValueType::kString && context.FlagValue("file")) return UsageError("--file is for strings");
  if (target->type != ValueType::kMap && context.FlagValue("escaped")) return UsageError("--escaped is for maps");
  switch (target->type) {
    case ValueType::kInt:
      return PutNumber(context, *target, ParseInt, &client::Client::ints);
    case ValueType::kUint:
      return PutNumber(context, *target, ParseUint, &client::Client::uints);
    case ValueType::kFloat:
      return PutNumber(context, *target, ParseFloat, &client::Client::floats);
    case ValueType::kString:
      return PutString(context, *target);
    case ValueType::kSet:
      return PutSet(context, *target);
    case ValueType::kMap:
      return PutMap(context, *target);
  }
  return kUsage;
}

template <typename T>
absl::StatusOr<int> Show(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(*response, ValueText(response->value()));
  return kSuccess;
}

absl::StatusOr<int> GetOf(const Context& context, const client::Client& client, const Target& target) {
  switch (target.type) {
    case ValueType::kInt:
      return Show(context, client.ints().Get(target.key));
    case ValueType::kUint:
      return Show(context, client.uints().Get(target.key));
    case ValueType::kFloat:
      return Show(context, client.floats().Get(target.key));
    case ValueType::kString:
      return Show(context, client.strings().Get(target.key));
    case ValueType::kSet: {
      const auto response = client.sets().Get(target.key);
      if (!response.ok()) return response.status();
      context.output.Part(*response, MembersText(response->members()));
      return kSuccess;
    }
    case ValueType::kMap: {
      const auto response = client.maps().Get(target.key);
      if (!response.ok()) return response.status();
      context.output.Part(*response, FieldsText(response->fields()));
      return kSuccess;
    }
  }
  return kUsage;
}

// Whoever asks for the wrong type is told the right one.
absl::Status WithOtherTypes(const client::Client& client, const Target& target, absl::Status status) {
  if (!Is(status, errors::kKeyNotFound)) return status;
  const auto elsewhere = client.keys().Exists(target.key);
  if (!elsewhere.ok() || !elsewhere->exists()) return status;
  const std::string type = TypeNameOf(static_cast<v1::ValueType>(elsewhere->types(0)));
  return Error(errors::kKeyNotFound, absl::StrCat(status.message(), "; there is one of type ", type, ": `kvs get ",
                                                  type, " ", ShellQuoted(target.key), "`"));
}

absl::StatusOr<int> GetValue(const Context& context) {
  const auto target = TargetOf(context, std::nullopt);
  if (!target.ok()) return target.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto shown = GetOf(context, *client, *target);
  return shown.ok() ? shown : WithOtherTypes(*client, *target, shown.status());
}

template <typename T>
absl::StatusOr<int> Deleted(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(
      *response, response->deleted() ? absl::StrCat("deleted, revision ", response->revision()) : "was not there");
  return kSuccess;
}

absl::StatusOr<int> DeleteOne(const Context& context, const client::Client& client, ValueType type,
                              const std::string& key) {
  switch (type) {
    case ValueType::kInt:
      return Deleted(context, client.ints().Delete(key, context.mutation));
    case ValueType::kUint:
      return Deleted(context, client.uints().Delete(key, context.mutation));
    case ValueType::kFloat:
      return Deleted(context, client.floats().Delete(key, context.mutation));
    case ValueType::kString:
      return Deleted(context, client.strings().Delete(key, context.mutation));
    case ValueType::kSet:
      return Deleted(context, client.sets().Delete(key, context.mutation));
    case ValueType::kMap:
      return Deleted(context, client.maps().Delete(key, context.mutation));
  }
  return kUsage;
}

absl::StatusOr<int> DeleteSeveral(const Context& context, const client::Client& client,
                                  const std::vector<v1::ValueType>& types, const std::string& key) {
  const auto response = client.keys().Delete(key, types, context.mutation);
  if (!response.ok()) return response.status();
  context.output.Result(*response, response->deleted()
                                       ? absl::StrCat("deleted ", absl::StrJoin(TypeNamesOf(response->types()), ", "),
                                                      ", revision ", response->revision())
                                       : "was not there");
  return kSuccess;
}

absl::StatusOr<int> Del(const Context& context) {
  const std::string& which = context.arguments[0];
  const std::string& key = context.arguments[1];
  const auto type = ParseType(which);
  const auto types = ParseTypesOrAll(which);
  if (!type.ok() && !types.ok()) return types.status();
  if (absl::Status status = CheckConditionOn(*types, context.flags); !status.ok()) return status;
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return type.ok() ? DeleteOne(context, *client, *type, key) : DeleteSeveral(context, *client, *types, key);
}

enum class Direction { kUp, kDown };

absl::StatusOr<int> IncrementInt(const Context& context, const Target& target, Direction direction) {
  auto delta = target.rest.empty() ? 1 : ParseInt(target.rest[0]);
  if (!delta.ok()) return delta.status();
  if (direction == Direction::kDown) {
    if (*delta == std::numeric_limits<int64_t>::min()) return UsageError("this cannot be taken from an int");
    *delta = -*delta;
  }
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Show(context, client->ints().Increment(target.key, *delta, context.mutation));
}

absl::StatusOr<int> IncrementUint(const Context& context, const Target& target, Direction direction) {
  std::string text = target.rest.empty() ? "1" : target.rest[0];
  // A negative increase is a decrease, and the other way round.
  if (text.size() > 1 && text[0] == '-') {
    text.erase(0, 1);
    direction = direction == Direction::kUp ? Direction::kDown : Direction::kUp;
  }
  const auto delta = ParseUint(text);
  if (!delta.ok()) return delta.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto& uints = client->uints();
  return Show(context, direction == Direction::kUp ? uints.Increment(target.key, *delta, context.mutation)
                                                   : uints.Decrement(target.key, *delta, context.mutation));
}

absl::StatusOr<int> IncrementFloat(const Context& context, const Target& target, Direction direction) {
  const auto delta = target.rest.empty() ? 1.0 : ParseFloat(target.rest[0]);
  if (!delta.ok()) return delta.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return Show(context,
              client->floats().Increment(target.key, direction == Direction::kUp ? *delta : -*delta, context.mutation));
}

absl::StatusOr<int> Increment(const Context& context, Direction direction) {
  const auto target =
      TargetOf(context, GuessOfNumber(direction == Direction::kUp ? "incr" : "decr", context.arguments));
  if (!target.ok()) return target.status();
  switch (target->type) {
    case ValueType::kInt:
      return IncrementInt(context, *target, direction);
    case ValueType::kUint:
      return IncrementUint(context, *target, direction);
    case ValueType::kFloat:
      return IncrementFloat(context, *target, direction);
    case ValueType::kString:
    case ValueType::kSet:
    case ValueType::kMap:
      break;
  }
  return UsageError(absl::StrCat("a ", TypeName(target->type), " is no number; numbers are int, uint and float"));
}

absl::StatusOr<int> Incr(const Context& context) { return Increment(context, Direction::kUp); }

absl::StatusOr<int> Decr(const Context& context) { return Increment(context, Direction::kDown); }

absl::StatusOr<int> Append(const Context& context) {
  const auto target = TargetOf(context, GuessAppend(context.arguments));
  if (!target.ok()) return target.status();
  if (target->type != ValueType::kString) {
    return UsageError(
        absl::StrCat("only a string can be appended to; `kvs set add` adds to a set, `kvs map put` to a map"));
  }
  const auto text = TextOf(context, target->rest);
  if (!text.ok()) return text.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->strings().Append(target->key, *text, context.mutation);
  if (!response.ok()) return response.status();
  return Done(context, response, absl::StrCat(response->size_bytes()));
}

const Flag kFileFlag{"file", "FILE", "take the text from a file; - is the standard input", Kind::kFile};

}  // namespace

std::vector<Command> ValueCommands() {
  return {
      {.name = "put",
       .arguments = "TYPE KEY VALUE...",
       .summary = "store a value, replacing what was there",
       .details = "TYPE is int, uint, float, string, set or map. The value of a set is its members, that of a map its\n"
                  "fields as NAME=VALUE, either of them any number; the others are one VALUE.\n"
                  "Values that begin with a dash need no care, except where they are the name of a flag: then `--`\n"
                  "goes before them, which is what scripts should write always.",
       .example = "kvs put int visits 41\n"
                  "kvs put float temperature -3.5\n"
                  "kvs put string motd 'hello, world'\n"
                  "kvs put string page --file page.html\n"
                  "kvs put set colors red blue\n"
                  "kvs put map host:1 city=Oslo rack=7\n"
                  "kvs put string dashes -- --output",
       .min_arguments = 2,
       .max_arguments = kAnyNumber,
       .text_from = 1,
       .flags = {kFileFlag, EscapedFlag()},
       .completion = Kind::kType,
       .changes = true,
       .takes_ttl = true,
       .run = PutValue,
       .guess = GuessPut},
      {.name = "get",
       .arguments = "TYPE KEY",
       .summary = "print a value",
       .details =
           "Prints the bare value; a set as one member per line, a map as one NAME=VALUE per line, in byte order.\n"
           "Ends with 1 if the key is absent.",
       .example = "kvs get int visits",
       .min_arguments = 2,
       .max_arguments = 2,
       .text_from = 1,
       .completion = Kind::kType,
       .run = GetValue,
       .guess = GuessGet},
      {.name = "del",
       .arguments = "TYPE KEY",
       .summary = "delete a key",
       .details = "TYPE may be several types separated by commas, or `all`: they are deleted together or not at all.\n"
                  "Deleting what is not there is no error.",
       .example = "kvs del int visits\n"
                  "kvs del int,string visits\n"
                  "kvs del all visits",
       .min_arguments = 2,
       .max_arguments = 2,
       .text_from = 1,
       .completion = Kind::kType,
       .words = "all",
       .changes = true,
       .run = Del,
       .guess = GuessDel},
      {.name = "incr",
       .arguments = "TYPE KEY DELTA",
       .summary = "add to a number and print the result",
       .details = "TYPE is int, uint or float. DELTA is 1 if it is not given, and may be negative.\n"
                  "An absent key counts from 0. What leaves the range of the type is refused and changes nothing.",
       .example = "kvs incr int visits\n"
                  "kvs incr float balance -2.5",
       .min_arguments = 2,
       .max_arguments = 3,
       .text_from = 1,
       .completion = Kind::kType,
       .changes = true,
       .takes_ttl = true,
       .run = Incr,
       .guess = GuessIncr},
      {.name = "decr",
       .arguments = "TYPE KEY DELTA",
       .summary = "take from a number and print the result",
       .details = "As incr, with DELTA taken away.",
       .example = "kvs decr int balance 3",
       .min_arguments = 2,
       .max_arguments = 3,
       .text_from = 1,
       .completion = Kind::kType,
       .changes = true,
       .takes_ttl = true,
       .run = Decr,
       .guess = GuessDecr},
      {.name = "append",
       .arguments = "TYPE KEY VALUE",
       .summary = "add text to the end of a string and print its length in bytes",
       .details = "TYPE is string. An absent key counts as empty.",
       .example = "kvs append string log 'one more line'",
       .min_arguments = 2,
       .max_arguments = 3,
       .text_from = 1,
       .flags = {kFileFlag},
       .completion = Kind::kType,
       .changes = true,
       .takes_ttl = true,
       .run = Append,
       .guess = GuessAppend},
  };
}

}  // namespace kvs::cli
