#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("certificates are made once and then kept") {
  const TestCli kvs;
  const std::string dir = kvs.dir() / "new/certs";
  const CommandResult first = kvs({"certs", "init", dir, "--name", "alice"});
  CHECK(first.status == 0);
  CHECK_THAT(first.out, ContainsText("made " + dir + "/ca.crt: "));
  CHECK_THAT(first.out, ContainsText("made " + dir + "/client.crt: "));
  CHECK(std::filesystem::exists(dir + "/client.key"));

  const CommandResult second = kvs({"certs", "init", dir, "--name", "alice"});
  CHECK(second.status == 0);
  CHECK_THAT(second.out, ContainsText("kept " + dir + "/ca.crt\n"));
  CHECK(second.out.find("made") == std::string::npos);

  CHECK_THAT(kvs({"certs", "init", dir, "--output", "json"}).out,
             ContainsText("{\"file\":\"" + dir + "/ca.crt\",\"made\":false,\"reason\":\"\"}"));
}

TEST_CASE("a name that cannot be that of a client is wrong usage, and nothing is made") {
  const TestCli kvs;
  const std::string dir = kvs.dir() / "certs";
  const CommandResult result = kvs({"certs", "init", dir, "--name", "a b/c"});
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsText("\"a b/c\""));
  CHECK_FALSE(std::filesystem::exists(dir));
}

TEST_CASE("a folder that cannot be made is told") {
  const TestCli kvs;
  const CommandResult result = kvs({"certs", "init", "/proc/nowhere/certs"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsText("/proc/nowhere"));
  CHECK(kvs({"certs", "init"}).status == 2);
}

}  // namespace
}  // namespace kvs::cli
