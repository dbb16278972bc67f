#include "clients/cli/run.h"

#include <fstream>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("help and version go to the standard output") {
  const TestCli kvs;
  const CommandResult help = kvs({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  CHECK(kvs({"help"}).out == help.out);
  CHECK(kvs({"put", "-h"}).out == kvs({"help", "put"}).out);
  CHECK_THAT(kvs({"set", "--help"}).out, ContainsText("set contains"));
  CHECK_THAT(kvs({"--version"}).out, ContainsText("kvs "));
}

TEST_CASE("wrong usage goes to the standard error and ends with 2") {
  const TestCli kvs;
  const CommandResult result = kvs({"set", "visits", "41"});
  CHECK(result.status == 2);
  CHECK(result.out.empty());
  CHECK(result.err == "kvs: there is no command `kvs set visits`; did you mean `kvs put int visits 41`?\n");
  CHECK(kvs({}).status == 2);
}

TEST_CASE("a number is added to a key without its type: the type is guessed by the number") {
  const TestCli kvs;
  const CommandResult result = kvs({"decr", "visits", "5"});
  CHECK(result.status == 2);
  CHECK(result.err == "kvs: the type goes before the key; did you mean `kvs decr int visits 5`?\n");
  CHECK_THAT(kvs({"incr", "balance", "-2.5"}).err, ContainsText("did you mean `kvs incr float balance -2.5`?"));
}

TEST_CASE("the form of errors is that of the output, wherever it is set") {
  TestCli kvs;
  CHECK(kvs({"frobnicate", "--output=json"}).err.front() == '{');
  CHECK(kvs({"get", "int", "a", "--output", "json", "--timeout", "soon"}).err.front() == '{');
  kvs.SetVariable("KVS_OUTPUT", "json");
  CHECK(kvs({"frobnicate"}).err.front() == '{');
}

TEST_CASE("a broken config file stops what needs it and nothing else") {
  TestCli kvs;
  std::filesystem::create_directories(kvs.dir() / "kvs");
  std::ofstream(kvs.dir() / "kvs/config.toml") << "adress = \"x\"\n";
  kvs.SetVariable("XDG_CONFIG_HOME", kvs.dir().path());
  const CommandResult result = kvs({"get", "int", "a"});
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsText("there is no setting adress"));
  CHECK(kvs({"completion", "bash"}).status == 0);
}

TEST_CASE("output that cannot be written is an error") {
  const TestCli kvs;
  TextInput in("");
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  CHECK(Run({"completion", "bash"}, kvs.MakeEnvironment(in, out, err)) == 1);
  CHECK(err.str() == "kvs: cannot write to the standard output\n");
  for (const char* flag : {"--help", "--version"}) {
    err.str("");
    CHECK(Run({flag}, kvs.MakeEnvironment(in, out, err)) == 1);
    CHECK(err.str() == "kvs: cannot write to the standard output\n");
  }
}

TEST_CASE("a change whose result cannot be written was made all the same, and its error says so") {
  const PairCli kvs;
  TextInput in("");
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  const auto error_of = [&](const std::vector<std::string>& words) {
    std::ostringstream err;
    CHECK(Run(words, kvs.cli().MakeEnvironment(in, out, err)) == 1);
    return err.str();
  };
  CHECK_THAT(error_of({"incr", "int", "n"}), ContainsText("the change was made, but cannot write"));
  CHECK(kvs.Out({"get", "int", "n"}) == "1\n");
  CHECK(error_of({"get", "int", "n"}) == "kvs: cannot write to the standard output\n");
  CHECK(error_of({"persist", "int", "absent"}) == "kvs: cannot write to the standard output\n");
  CHECK_THAT(error_of({"export"}), ContainsText("the export is not whole: cannot write"));
  CHECK(error_of({"export"}).find("exported") == std::string::npos);
}

TEST_CASE("options that the client refuses end with 2 and show the settings") {
  const TestCli kvs;
  const CommandResult result = kvs({"get", "int", "a", "--ca", kvs.dir() / "absent"});
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsText("cannot read the ca file"));
  CHECK_THAT(result.err, ContainsText("(--ca)"));
}

}  // namespace
}  // namespace kvs::cli
