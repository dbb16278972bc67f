// Completion as bash does it: the script is loaded by a real bash, which is asked what it offers.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

class Bash {
 public:
  Bash() {
    const CommandResult script = cli_({"completion", "bash"});
    REQUIRE(script.status == 0);
    std::ofstream(cli_.dir() / "kvs.bash") << script.out;
    std::ofstream(cli_.dir() / "file.pem") << "";
    std::filesystem::create_directory(cli_.dir() / "folder");
  }

  // What is offered for the last of these words, separated by spaces.
  std::string Offer(const std::string& words) const {
    const std::string command = "cd '" + cli_.dir().path() + "' && bash --norc -c 'source ./kvs.bash; COMP_WORDS=(" +
                                words +
                                "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kvs; echo \"${COMPREPLY[*]}\"' 2>&1";
    FILE* const pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    char buffer[4096];
    while (fgets(buffer, sizeof(buffer), pipe) != nullptr) out += buffer;
    CHECK(pclose(pipe) == 0);
    return out.substr(0, out.find_last_not_of('\n') + 1);
  }

 private:
  TestCli cli_;
};

TEST_CASE("bash completes commands, verbs and types") {
  const Bash bash;
  CHECK(bash.Offer("kvs ge") == "get");
  CHECK_THAT(bash.Offer("kvs \"\""), ContainsText("put"));
  CHECK(bash.Offer("kvs set a") == "add");
  CHECK(bash.Offer("kvs get s") == "string set");
  CHECK(bash.Offer("kvs del a") == "all");
  CHECK(bash.Offer("kvs get int s").empty());
  CHECK(bash.Offer("kvs --output json get f") == "float");
}

TEST_CASE("bash completes flags and their values") {
  const Bash bash;
  CHECK(bash.Offer("kvs keys --pre") == "--prefix");
  CHECK(bash.Offer("kvs count --pre").empty());
  CHECK(bash.Offer("kvs set add --if") == "--if-absent --if-present --if-revision");
  CHECK(bash.Offer("kvs get --if").empty());
  CHECK(bash.Offer("kvs put --if-revision i").empty());
  CHECK(bash.Offer("kvs put --if-revision 7 i") == "int");
  CHECK(bash.Offer("kvs get --out") == "--output");
  CHECK(bash.Offer("kvs get --output j") == "json");
  CHECK(bash.Offer("kvs keys --type u") == "uint");
  CHECK(bash.Offer("kvs get --ca f") == "file.pem folder");
  CHECK(bash.Offer("kvs put string page --file f") == "file.pem folder");
}

}  // namespace
}  // namespace kvs::cli
