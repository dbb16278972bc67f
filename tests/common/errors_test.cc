#include "common/errors.h"

#include <absl/strings/str_cat.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("an error carries its code, reason and metadata") {
  const absl::Status status = Error(errors::kKeyNotFound, "no key \"a\"", {{"revision", "7"}});
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "no key \"a\"");
  CHECK(ReasonOf(status) == "KEY_NOT_FOUND");
  CHECK(MetadataOf(status, "revision") == "7");
  CHECK(MetadataOf(status, "limit").empty());
  CHECK(Is(status, errors::kKeyNotFound));
  CHECK_FALSE(Is(status, errors::kOverflow));
}

TEST_CASE("a status from elsewhere has no reason") {
  CHECK(ReasonOf(absl::InternalError("elsewhere")).empty());
  CHECK(ReasonOf(absl::OkStatus()).empty());
}

TEST_CASE("every reason is used once") {
  std::set<absl::string_view> reasons;
  for (const ErrorKind& kind : errors::kAll) CHECK(reasons.insert(kind.reason).second);
}

TEST_CASE("docs/errors.md explains every reason with its code") {
  std::ifstream file(KVS_SOURCE_DIR "/docs/errors.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const ErrorKind& kind : errors::kAll) {
    const std::string row = absl::StrCat("| `", kind.reason, "` | ", absl::StatusCodeToString(kind.code), " |");
    INFO(row);
    CHECK(page.find(row) != std::string::npos);
  }
}

}  // namespace
}  // namespace kvs
