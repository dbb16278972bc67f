#include "clients/cli/command.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <memory>

#include "common/errors.h"

namespace kvs::cli {

const std::vector<Flag>& CommonFlags() {
  static const auto* const flags = new std::vector<Flag>{
      {"address", "HOST:PORT", "where the server is", Kind::kText},
      {"ca", "FILE", "certificate of the authority that the server is checked against", Kind::kFile},
      {"cert", "FILE", "the client's certificate", Kind::kFile},
      {"key", "FILE", "the key of the client's certificate", Kind::kFile},
      {"plaintext", "", "no TLS"},
      {"timeout", "TIME", "how long a call may take with its retries; 10s if not given", Kind::kText},
      {"output", "FORMAT", "text, or json for programs", Kind::kWords, "text json"},
      {"help", "", "what the command does, with an example (-h)"},
  };
  return *flags;
}

std::optional<std::string> Context::FlagValue(const std::string& name) const {
  const auto found = flags.find(name);
  if (found == flags.end()) return std::nullopt;
  return found->second.back();
}

absl::StatusOr<client::Client> Context::Connect() const {
  auto options = ClientOptions(settings);
  if (!options.ok()) return options.status();
  options->fail_fast = true;
  if (environment.interactive) {
    const absl::Time patience = absl::Now() + absl::Seconds(1);
    const auto told = std::make_shared<bool>(false);
    options->on_retry = [&output = output, patience, told](const absl::Status& status) {
      if (*told || absl::Now() < patience) return;
      *told = true;
      output.Note(absl::StrCat(status.message(), " (trying again until the timeout)"));
    };
  }
  return client::Client::Connect(*options);
}

}  // namespace kvs::cli
