#include "common/errors.h"

#include <absl/strings/str_cat.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/source_dir.h"

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

std::string ErrorsPage() {
  std::ifstream file(SourceDir() + "/docs/errors.md");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// How the row of a reason begins.
std::string Row(const ErrorKind& kind) {
  return absl::StrCat("| `", kind.reason, "` | ", absl::StatusCodeToString(kind.code), " |");
}

TEST_CASE("docs/errors.md explains every reason with its code") {
  const std::string page = ErrorsPage();
  for (const ErrorKind& kind : errors::kAll) {
    INFO(Row(kind));
    CHECK(page.find(Row(kind)) != std::string::npos);
  }
}

TEST_CASE("docs/errors.md explains nothing but the reasons") {
  std::set<std::string> rows;
  for (const ErrorKind& kind : errors::kAll) rows.insert(Row(kind));
  std::istringstream page(ErrorsPage());
  for (std::string line; std::getline(page, line);) {
    // The rows of reasons begin with a cell that holds one, and nothing else.
    const size_t end_of_first_cell = line.find("` | ");
    if (line.rfind("| `", 0) != 0 || line.find(' ', 2) != end_of_first_cell + 1) continue;
    INFO(line);
    CHECK(rows.erase(line.substr(0, line.find(" |", end_of_first_cell + 4) + 2)) == 1);
  }
}

TEST_CASE("an error can be given more metadata") {
  const absl::Status error = WithMetadata(Error(errors::kOverflow, "too large", {{"limit", "9"}}), "operation", "3");
  CHECK(Is(error, errors::kOverflow));
  CHECK(error.message() == "too large");
  CHECK(MetadataOf(error, "limit") == "9");
  CHECK(MetadataOf(error, "operation") == "3");
  CHECK(WithMetadata(absl::InternalError("elsewhere"), "operation", "3") == absl::InternalError("elsewhere"));
}

TEST_CASE("another message leaves the details as they are") {
  const absl::Status status = WithMessage(Error(errors::kOverflow, "too large", {{"limit", "7"}}), "far too large");
  CHECK(status.message() == "far too large");
  CHECK(Is(status, errors::kOverflow));
  CHECK(MetadataOf(status, "limit") == "7");
}

}  // namespace
}  // namespace kvs
