#include <string>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("a key is made to expire, asked about, and made to live for ever") {
  PairCli kvs;
  kvs.Out({"put", "int", "k", "41"});
  CHECK(kvs.Out({"ttl", "int", "k"}) == "for ever\n");
  CHECK_THAT(kvs.Out({"expire", "int", "k", "24h"}),
             Catch::Matchers::Matches("expires 20[0-9-]+T[0-9:.]+Z, revision 2\n"));
  CHECK_THAT(kvs.Out({"ttl", "int", "k"}), Catch::Matchers::Matches("23h59m59[.][0-9]+s, until 20[0-9-]+T[0-9:.]+Z\n"));
  CHECK_THAT(kvs.Out({"ttl", "all", "k"}), Catch::Matchers::Matches("int 23h59m59[.][0-9]+s, until 20.*Z\n"));
  CHECK_THAT(kvs.Out({"ttl", "int", "k", "--output", "json"}), ContainsText("\"expiresAt\":\"20"));
  CHECK(kvs.Out({"persist", "all", "k"}) == "lives for ever, revision 3\n");
  CHECK(kvs.Out({"persist", "int", "k"}) == "had no expiry\n");
  CHECK(kvs.Out({"get", "int", "k"}) == "41\n");
}

TEST_CASE("a put with --ttl makes a key that expires") {
  PairCli kvs;
  kvs.Out({"put", "string", "k", "text", "--ttl", "24h"});
  CHECK_THAT(kvs.Out({"ttl", "string", "k"}), ContainsText("23h59m59"));
  kvs.Out({"append", "string", "k", "more"});
  CHECK_THAT(kvs.Out({"ttl", "string", "k"}), ContainsText("23h59m59"));
  kvs.Out({"put", "string", "k", "text"});
  CHECK(kvs.Out({"ttl", "string", "k"}) == "for ever\n");
  kvs.Out({"set", "add", "k", "member", "--ttl=1us"});
  CHECK_THAT(kvs.Err(1, {"get", "set", "k"}), ContainsText("there is no key \"k\""));
}

TEST_CASE("an absent key has no time, and does not expire") {
  PairCli kvs;
  CHECK_THAT(kvs.Err(1, {"ttl", "int", "k"}), ContainsText("there is no key \"k\""));
  CHECK(kvs.Run({"expire", "int", "k", "1h"}).out == "was not there\n");
  CHECK(kvs.Run({"expire", "int", "k", "1h"}).status == 1);
  CHECK(kvs.Run({"persist", "all", "k"}).out == "was not there\n");
  CHECK(kvs.Run({"persist", "all", "k"}).status == 1);
}

TEST_CASE("a revision is that of one type: with several, nothing is asked") {
  const TestCli kvs;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"persist", "all", "k"}, {"expire", "int,uint", "k", "1h"}, {"del", "all", "k"}}) {
    std::vector<std::string> command = words;
    command.insert(command.end(), {"--if-revision", "4"});
    const CommandResult result = kvs(command);
    CHECK(result.status == 2);
    CHECK(result.err == "kvs: --if-revision is about the key of one type: name that type alone\n");
  }
}

TEST_CASE("what is no duration is wrong usage, and no server is asked") {
  const TestCli kvs;
  for (const std::string text : {"60", "0", "0s", "-5s", "inf", "soon", ""}) {
    const CommandResult flag = kvs({"put", "int", "k", "1", "--ttl=" + text});
    CHECK(flag.status == 2);
    CHECK(flag.err ==
          "kvs: --ttl: \"" + text + "\" is no duration; give a number with its unit, such as 500ms, 90s, 15m or 24h\n");
    CHECK(kvs({"expire", "int", "k", "--", text}).status == 2);
  }
  CHECK(kvs({"del", "int", "k", "--ttl", "1h"}).status == 2);
  CHECK(kvs({"expire", "ints", "k", "1h"}).status == 2);
}

TEST_CASE("a time over the limit is refused by the server") {
  PairCli kvs;
  CHECK_THAT(kvs.Err(1, {"put", "int", "k", "1", "--ttl", "900000h"}), ContainsText("1 microsecond to 36500 days"));
  CHECK(kvs.Out({"count"}) == "0\n");
}

}  // namespace
}  // namespace kvs::cli
