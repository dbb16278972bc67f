#include "clients/cli/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "clients/cli/exit_status.h"
#include "common/errors.h"
#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

class Place {
 public:
  Place() {
    std::filesystem::create_directories(dir_ / "home/.config/kvs");
    std::filesystem::create_directories(dir_ / "work/deep/deeper");
    cli_.SetVariable("HOME", dir_ / "home");
    cli_.SetDirectory(dir_ / "work/deep/deeper");
  }

  Place& Variable(const std::string& name, const std::string& value) {
    cli_.SetVariable(name, value);
    return *this;
  }
  Place& Config(const std::string& text) {
    std::ofstream(config_file()) << text;
    return *this;
  }
  // A .kvs as `make run` makes it, in `folder` below the place.
  Place& DotKvs(const std::string& folder) {
    const std::string certs = dir_ / (folder + "/.kvs/certs");
    std::filesystem::create_directories(certs);
    for (const char* name : {"ca.crt", "client.crt", "client.key"}) std::ofstream(certs + "/" + name) << "pem";
    return *this;
  }

  Settings Find(const std::map<std::string, std::string>& flags = {}) const {
    TextInput in("");
    std::ostringstream out;
    return FindSettings(flags, cli_.MakeEnvironment(in, out, out));
  }

  std::string config_file() const { return dir_ / "home/.config/kvs/config.toml"; }
  std::string path(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
  TestCli cli_;
};

TEST_CASE("without anything there are defaults") {
  const Settings settings = Place().Find();
  CHECK(settings.problem.ok());
  CHECK(settings.address.value == "localhost:5050");
  CHECK(settings.address.source == "the default");
  CHECK(settings.ca.source.empty());
  CHECK_FALSE(settings.is_plaintext());
  const auto options = ClientOptions(settings);
  REQUIRE(options.ok());
  CHECK(options->timeout == absl::Seconds(10));
}

TEST_CASE("each setting comes from the first place that has it") {
  Place place;
  place.DotKvs("work").Config("address = \"from-file:1\"\ntimeout = \"3s\"\n");
  Settings settings = place.Find();
  CHECK(settings.address.value == "from-file:1");
  CHECK(settings.address.source == place.config_file());
  CHECK(settings.ca.value == place.path("work/.kvs/certs/ca.crt"));
  CHECK(settings.ca.source == place.path("work/.kvs"));
  CHECK(settings.key.value == place.path("work/.kvs/certs/client.key"));

  place.Variable("KVS_ADDRESS", "from-environment:1");
  settings = place.Find();
  CHECK(settings.address.value == "from-environment:1");
  CHECK(settings.address.source == "KVS_ADDRESS");
  CHECK(settings.timeout.value == "3s");

  settings = place.Find({{"address", "from-flag:1"}});
  CHECK(settings.address.value == "from-flag:1");
  CHECK(settings.address.source == "--address");
}

TEST_CASE("every setting has its flag, its variable and its line in the file") {
  const char* const names[] = {"address", "ca", "cert", "key", "timeout", "output"};
  const char* const variables[] = {"KVS_ADDRESS", "KVS_CA", "KVS_CERT", "KVS_KEY", "KVS_TIMEOUT", "KVS_OUTPUT"};
  Setting Settings::* const members[] = {&Settings::address, &Settings::ca,      &Settings::cert,
                                         &Settings::key,     &Settings::timeout, &Settings::output};
  for (size_t i = 0; i < std::size(names); ++i) {
    INFO(names[i]);
    CHECK((Place().Find({{names[i], "x"}}).*members[i]).value == "x");
    CHECK((Place().Variable(variables[i], "x").Find().*members[i]).value == "x");
    Place place;
    place.Config(std::string(names[i]) + " = \"/x\"\n");
    CHECK((place.Find().*members[i]).value == "/x");
  }
  CHECK(Place().Find({{"plaintext", "true"}}).is_plaintext());
  CHECK(Place().Variable("KVS_PLAINTEXT", "true").Find().is_plaintext());
  Place place;
  place.Config("plaintext = true\n");
  CHECK(place.Find().is_plaintext());
}

TEST_CASE("a .kvs folder is found here and above, the nearest first") {
  Place place;
  place.DotKvs(".");
  CHECK(place.Find().ca.source == place.path(".kvs"));
  place.DotKvs("work/deep/deeper");
  CHECK(place.Find().ca.source == place.path("work/deep/deeper/.kvs"));
}

TEST_CASE("a .kvs folder may name the address") {
  Place place;
  place.DotKvs("work");
  std::ofstream(place.path("work/.kvs/address")) << "localhost:6060\n";
  CHECK(place.Find().address.value == "localhost:6060");
}

TEST_CASE("a .kvs folder that cannot be read is not used, and that is said") {
  Place place;
  place.DotKvs("work");
  REQUIRE(chmod(place.path("work/.kvs").c_str(), 0) == 0);
  const uid_t user = geteuid();
  if (user == 0) {  // whom nothing is forbidden
    REQUIRE(chmod(place.path("").c_str(), 0755) == 0);
    REQUIRE(seteuid(12345) == 0);
  }
  const Settings settings = place.Find();
  REQUIRE(seteuid(user) == 0);
  CHECK(settings.ca.source.empty());
  CHECK_THAT(Describe(settings), ContainsText("you may not read it"));
  REQUIRE(chmod(place.path("work/.kvs").c_str(), 0700) == 0);
}

TEST_CASE("a .kvs folder of another user is not used, and that is said") {
  if (geteuid() != 0) return;  // only root can make one
  Place place;
  place.DotKvs("work");
  REQUIRE(chown(place.path("work/.kvs").c_str(), 12345, 12345) == 0);
  const Settings settings = place.Find();
  CHECK(settings.ca.source.empty());
  CHECK_THAT(Describe(settings), ContainsText("belongs to another user"));
}

TEST_CASE("XDG_CONFIG_HOME is honoured") {
  Place place;
  std::filesystem::create_directories(place.path("xdg/kvs"));
  std::ofstream(place.path("xdg/kvs/config.toml")) << "address = \"xdg:1\"\n";
  place.Config("address = \"home:1\"\n").Variable("XDG_CONFIG_HOME", place.path("xdg"));
  CHECK(place.Find().address.value == "xdg:1");
}

TEST_CASE("paths in the config file are relative to it") {
  Place place;
  place.Config("ca = \"ca.pem\"\n");
  CHECK(place.Find().ca.value == place.path("home/.config/kvs/ca.pem"));
}

TEST_CASE("plaintext leaves out the certificates of later places") {
  Place place;
  place.DotKvs("work").Variable("KVS_PLAINTEXT", "true");
  const Settings settings = place.Find();
  CHECK(settings.problem.ok());
  CHECK(settings.is_plaintext());
  CHECK(settings.ca.source.empty());
}

TEST_CASE("certificates leave out the plaintext of later places") {
  Place place;
  place.Config("plaintext = true\n");
  const Settings settings = place.Find({{"ca", "x"}});
  CHECK(settings.problem.ok());
  CHECK_FALSE(settings.is_plaintext());
}

TEST_CASE("settings that cannot be used are told with their source") {
  const auto in_config = [&](const std::string& text) {
    Place place;
    place.Config(text);
    const auto options = ClientOptions(place.Find());
    REQUIRE(Is(options.status(), kUsageError));
    return std::string(options.status().message());
  };
  const auto with_flags = [&](const std::map<std::string, std::string>& flags) {
    const Place place;
    const auto options = ClientOptions(place.Find(flags));
    REQUIRE(Is(options.status(), kUsageError));
    return std::string(options.status().message());
  };
  CHECK_THAT(in_config("adress = \"x\"\n"), ContainsText("config.toml:1: there is no setting adress"));
  CHECK_THAT(in_config("address = \n"), ContainsText("config.toml:1"));
  CHECK_THAT(in_config("plaintext = \"maybe\"\n"), ContainsText("must be true or false"));
  CHECK_THAT(with_flags({{"plaintext", "true"}, {"ca", "x"}}), ContainsText("--plaintext and --ca contradict"));
  CHECK_THAT(with_flags({{"cert", "x"}}), ContainsText("without its key"));
  CHECK_THAT(with_flags({{"key", "x"}}), ContainsText("without its certificate"));
  CHECK_THAT(with_flags({{"output", "xml"}}), ContainsText("must be text or json"));
  for (const char* timeout : {"0", "-1", "soon", "2d", "inf", "nan"}) {
    INFO(timeout);
    CHECK_THAT(with_flags({{"timeout", timeout}}), ContainsText("from --timeout must be"));
  }
}

TEST_CASE("timeouts have units, or are seconds") {
  const auto timeout = [](const std::string& text) {
    return ClientOptions(Place().Find({{"timeout", text}}))->timeout;
  };
  CHECK(timeout("500ms") == absl::Milliseconds(500));
  CHECK(timeout("2m") == absl::Minutes(2));
  CHECK(timeout("5") == absl::Seconds(5));
  CHECK(timeout("0.5") == absl::Milliseconds(500));
}

TEST_CASE("the description tells settings, sources and every place that was looked at") {
  Place place;
  place.Variable("KVS_ADDRESS", "there:1");
  const std::string text = Describe(place.Find());
  CHECK_THAT(text, ContainsText("there:1  (KVS_ADDRESS)"));
  CHECK_THAT(text, ContainsText("the authorities that this system trusts"));
  CHECK_THAT(text, ContainsText("flags: none"));
  CHECK_THAT(text, ContainsText(place.config_file() + ": not there"));
  CHECK_THAT(text, ContainsText(".kvs: not in " + place.path("work/deep/deeper")));
}

}  // namespace
}  // namespace kvs::cli
