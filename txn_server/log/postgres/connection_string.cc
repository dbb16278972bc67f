#include "txn_server/log/postgres/connection_string.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <libpq-fe.h>

#include <cstdlib>
#include <map>
#include <memory>

namespace kvs::txn {
namespace {

struct Default {
  const char* option;
  const char* variable;  // of the environment, which wins; null if there is none
  const char* value;
};

constexpr Default kDefaults[] = {
    {"connect_timeout", "PGCONNECT_TIMEOUT", "5"},
    {"fallback_application_name", nullptr, "txn_server"},
    {"keepalives_idle", nullptr, "5"},
    {"keepalives_interval", nullptr, "2"},
    {"keepalives_count", nullptr, "3"},
    {"tcp_user_timeout", nullptr, "10000"},
};

using Options = std::map<std::string, std::string>;

// What the URL says; InvalidArgument if it says nothing that libpq understands. Its message would quote the URL, and
// with it the password.
absl::StatusOr<Options> Parse(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                            PQconninfoFree);
  PQfreemem(message);
  if (!parsed) {
    return absl::InvalidArgumentError(
        "--postgres-url is neither a URL, such as postgresql://user@host:5432/database, nor a connection string, such "
        "as \"host=/run/postgresql dbname=kvs\"; a special character in a URL is written as %XX");
  }
  Options options;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  return options;
}

}  // namespace

bool HasPassword(const std::string& url) {
  const auto options = Parse(url);
  return options.ok() && (options->count("password") > 0 || options->count("sslpassword") > 0);
}

absl::StatusOr<std::string> ConnectionString(const std::string& url) {
  auto options = Parse(url);
  if (!options.ok()) return options.status();
  for (const Default& entry : kDefaults) {
    if (entry.variable != nullptr && std::getenv(entry.variable) != nullptr) continue;
    options->emplace(entry.option, entry.value);
  }
  (*options)["client_encoding"] = "UTF8";
  std::string text;
  for (const auto& [name, value] : *options) {
    absl::StrAppend(&text, text.empty() ? "" : " ", name, "='",
                    absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
  }
  return text;
}

}  // namespace kvs::txn
