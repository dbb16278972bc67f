#include "clients/cpp/options.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "common/errors.h"

namespace kvs::client {

absl::StatusOr<Address> ServerAddress(absl::string_view address) {
  if (address.empty() || absl::StartsWith(address, ":")) {
    return Error(errors::kInvalidAddress, absl::StrCat("the address \"", address, "\" names no host"));
  }
  const bool has_port = absl::StrContains(address, ':') && !absl::EndsWith(address, "]");
  const auto parsed = ParseAddress(has_port ? std::string(address) : absl::StrCat(address, ":", kDefaultPort));
  if (parsed.ok() && parsed->port != 0) return parsed;
  return Error(errors::kInvalidAddress, absl::StrCat("the address \"", address, "\" cannot be used: ",
                                                     parsed.ok() ? "there is no port 0" : parsed.status().message()));
}

}  // namespace kvs::client
