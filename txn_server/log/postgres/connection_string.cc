#include "txn_server/log/postgres/connection_string.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/string_view.h>
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

// libpq ends the name and the password of a URL at the first '@', and looks for them up to the first '/' only: what is
// left of a password that holds one of these becomes the host, the port or the database, which errors name.
bool MayLeakPassword(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == absl::string_view::npos) return false;
  url.remove_prefix(scheme + 3);
  const size_t end = url.find_first_of("@/");
  if (end == absl::string_view::npos) return false;
  const bool has_password = url[end] == '@' && absl::StrContains(url.substr(0, end), ':');
  if (url[end] == '@') url.remove_prefix(end + 1);
  if (!has_password) url = url.substr(0, url.find('?'));
  return absl::StrContains(url, '@');
}

bool IsPort(const Options& options) {
  const auto port = options.find("port");
  return port == options.end() || port->second.find_first_not_of("0123456789,") == std::string::npos;
}

// A URL in the place of a database's name, which some programs take, is none here. Errors would name it as it is.
bool IsDatabaseName(const Options& options) {
  const auto name = options.find("dbname");
  return name == options.end() || !absl::StrContains(name->second, "://");
}

// What the URL says; InvalidArgument if it says nothing that libpq understands, or not what was meant. The message of
// libpq would quote the URL, and with it the password.
absl::StatusOr<Options> Parse(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                            PQconninfoFree);
  PQfreemem(message);
  Options options;
  for (const PQconninfoOption* option = parsed.get(); option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  if (!parsed || MayLeakPassword(url) || !IsPort(options) || !IsDatabaseName(options)) {
    return absl::InvalidArgumentError(
        "--postgres-url is neither a URL, such as postgresql://user@host:5432/database, nor a connection string, such "
        "as \"host=/run/postgresql dbname=kvs\"; a special character in a URL is written as %XX");
  }
  return options;
}

// Whether text that cannot be read looks as if it held a password: "…:…@…", or the name of the option.
bool LooksLikePassword(absl::string_view url) {
  const size_t scheme = url.find("://");
  const size_t colon = url.find(':', scheme == absl::string_view::npos ? 0 : scheme + 3);
  return absl::StrContains(url, "password") ||
         (colon != absl::string_view::npos && url.find('@', colon) != absl::string_view::npos);
}

}  // namespace

bool HasPassword(const std::string& url) {
  const auto options = Parse(url);
  if (!options.ok()) return LooksLikePassword(url);
  return options->count("password") > 0 || options->count("sslpassword") > 0;
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
