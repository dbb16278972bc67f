#include "txn_server/config.h"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs::txn {
namespace {

TEST_CASE("txn_server config: a password on the command line is refused, and not repeated") {
  const auto check = [](std::vector<const char*> arguments) { return CheckNoPassword(arguments); };
  for (const char* url : {"postgresql://kvs:secret@h/kvs", "postgresql://kvs:se/cret@h/kvs", "kvs:secret@h"}) {
    INFO(url);
    const std::string joined = "--postgres-url=" + std::string(url);
    for (const absl::Status& status : {check({"--insecure", joined.c_str()}), check({"--postgres-url", url})}) {
      CHECK(absl::IsInvalidArgument(status));
      CHECK(status.message().find("cret") == absl::string_view::npos);
    }
  }
  // As a ledger to copy, and where the flag was forgotten.
  for (const char* argument : {"--from=postgres:postgresql://kvs:secret@h/kvs", "--to=postgres://kvs:secret@h/kvs",
                               "--to=postgres:host=h password=secret", "postgresql://kvs:secret@h/kvs"}) {
    INFO(argument);
    CHECK(absl::IsInvalidArgument(check({argument})));
    CHECK(check({argument}).message().find("cret") == absl::string_view::npos);
  }
  CHECK(absl::IsInvalidArgument(check({"--from", "postgres:postgresql://kvs:secret@h/kvs"})));
  CHECK(check({"--from=file:/srv/a:b@c", "--data-dir=/srv/a:b@c", "migrate"}).ok());
  CHECK(check({"--postgres-url", "postgresql://kvs@h/kvs"}).ok());
  CHECK(check({"--postgres-url"}).ok());
}

TEST_CASE("txn_server config: a segment that is not of whole sectors is refused as a bad setting") {
  const auto parse = [](const std::string& size) {
    Config config;
    return MakeConfigParser(&config).Parse({"--segment-size=" + size}, {});
  };
  CHECK(parse("32MiB").proceed);
  CHECK(parse("33554944").proceed);
  for (const char* size : {"33554433", "16MiB", "5GiB", "many"}) {
    INFO(size);
    CHECK(parse(size).exit_code == 2);
    CHECK_FALSE(parse(size).proceed);
  }
  CHECK_THAT(parse("33554433").text, ContainsText("must be 32MiB to 4GiB, a multiple of 512"));
}

TEST_CASE("txn_server config: a settings file with a password that others can read is found") {
  const TempDir directory;
  const std::string path = directory / "kvs.toml";
  const auto exposes = [&](const std::string& text, mode_t mode) {
    REQUIRE(WriteFileAtomically(path, text, 0600) == absl::OkStatus());
    REQUIRE(chmod(path.c_str(), mode) == 0);
    return ExposesPassword(path);
  };
  const std::string secret = "insecure = true\npostgres-url = \"postgresql://kvs:secret@h/kvs\"\n";
  CHECK(exposes(secret, 0644));
  CHECK_FALSE(exposes(secret, 0640));
  CHECK_FALSE(exposes(secret, 0600));
  CHECK_FALSE(exposes("postgres-url = \"postgresql://kvs@h/kvs\"\n", 0644));
  CHECK_FALSE(ExposesPassword(""));
  CHECK_FALSE(ExposesPassword(directory / "missing"));
}

}  // namespace
}  // namespace kvs::txn
