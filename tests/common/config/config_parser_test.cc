#include "common/config/config_parser.h"

#include "common/config/version.h"
#include "common/control_characters.h"
#include "common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs {
namespace {

enum class Colour { kRed, kBlue };

struct Settings {
  bool insecure = false;
  std::string name = "kvs";
  std::string data_dir;
  uint64_t shards = 16;
  uint64_t epoch = 7;
  absl::Duration drain_timeout = absl::Seconds(10);
  size_t max_bytes = size_t{64} << 20;
  Address listen{"127.0.0.1", 5050};
  bool has_listen = false;
  Colour colour = Colour::kRed;
};

// A program with one setting of each kind.
struct Program {
  Program() {
    parser.AddSection("Things");
    parser.AddSwitch("insecure", &settings.insecure, "Serves without TLS.");
    parser.AddText("name", &settings.name, "NAME", "Any text.");
    parser.AddPath("data-dir", &settings.data_dir, "Where data is.");
    parser.AddInteger("shards", &settings.shards, {1, 4096}, "How many.");
    parser.AddInteger("epoch", &settings.epoch, kAnyInteger, "An epoch.");
    parser.AddDuration("drain-timeout", &settings.drain_timeout, {absl::Milliseconds(1), absl::Hours(1)}, "How long.");
    parser.AddByteSize("max-bytes", &settings.max_bytes, {1024, kAnyInteger.max}, "How large.");
    parser.AddAddress("listen", &settings.listen, "Where to listen.", &settings.has_listen);
    parser.AddChoice<Colour>("colour", &settings.colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}},
                             "A <colour>.");
  }

  ConfigParser::Result Run(const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment = {}) {
    return parser.Parse(arguments, environment);
  }

  Settings settings;
  ConfigParser parser{"demo_server", "DEMO_SERVER_", "A demonstration."};
};

// What the program says when it refuses to start.
std::string Refusal(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) {
  Program program;
  const ConfigParser::Result result = program.Run(arguments, environment);
  CHECK_FALSE(result.proceed);
  CHECK(result.exit_code == 2);
  return result.text;
}

bool Contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

TEST_CASE("without anything the defaults stay") {
  Program program;
  REQUIRE(program.Run({}).proceed);
  CHECK(program.settings.shards == 16);
  CHECK(program.settings.listen.ToString() == "127.0.0.1:5050");
  CHECK(program.settings.data_dir.empty());
}

TEST_CASE("every kind is read from flags") {
  Program program;
  const auto result = program.Run({"--insecure", "--name=", "--data-dir", "/srv/a b", "--shards=4096", "--epoch=0",
                                   "--drain-timeout=1m30s", "--max-bytes=1KiB", "--listen=[::1]:0", "--colour=blue"});
  INFO(result.text);
  REQUIRE(result.proceed);
  CHECK(program.settings.insecure);
  CHECK(program.settings.name.empty());
  CHECK(program.settings.data_dir == "/srv/a b");
  CHECK(program.settings.shards == 4096);
  CHECK(program.settings.epoch == 0);
  CHECK(program.settings.drain_timeout == absl::Seconds(90));
  CHECK(program.settings.max_bytes == 1024);
  CHECK(program.settings.listen == Address{"::1", 0});
  CHECK(program.settings.colour == Colour::kBlue);
}

TEST_CASE("every kind is read from the environment") {
  Program program;
  const auto result = program.Run(
      {}, {"DEMO_SERVER_INSECURE=true", "DEMO_SERVER_NAME=a=b", "DEMO_SERVER_DATA_DIR=/e", "DEMO_SERVER_SHARDS=1",
           "DEMO_SERVER_EPOCH=18446744073709551615", "DEMO_SERVER_DRAIN_TIMEOUT=1ms", "DEMO_SERVER_MAX_BYTES=2MiB",
           "DEMO_SERVER_LISTEN=localhost:1", "DEMO_SERVER_COLOUR=blue", "PATH=/bin", "DEMO_SERVERS=1", "NOTHING"});
  INFO(result.text);
  REQUIRE(result.proceed);
  CHECK(program.settings.insecure);
  CHECK(program.settings.name == "a=b");
  CHECK(program.settings.data_dir == "/e");
  CHECK(program.settings.shards == 1);
  CHECK(program.settings.epoch == UINT64_MAX);
  CHECK(program.settings.drain_timeout == absl::Milliseconds(1));
  CHECK(program.settings.max_bytes == size_t{2} << 20);
  CHECK(program.settings.listen == Address{"localhost", 1});
  CHECK(program.settings.colour == Colour::kBlue);
}

TEST_CASE("flag over environment over file over default") {
  const TempDir dir;
  const std::string file = dir / "demo.toml";
  REQUIRE(WriteFileAtomically(file, "shards = 3\nname = \"file\"\ncolour = \"blue\"\ninsecure = true\n", 0600).ok());
  Program program;
  const auto result = program.Run({"--config", file, "--shards=1"}, {"DEMO_SERVER_SHARDS=2", "DEMO_SERVER_NAME=env"});
  INFO(result.text);
  REQUIRE(result.proceed);
  CHECK(program.settings.shards == 1);
  CHECK(program.settings.name == "env");
  CHECK(program.settings.colour == Colour::kBlue);
  CHECK(program.settings.insecure);
  CHECK(program.settings.data_dir.empty());
}

TEST_CASE("that an address is given is told, be it the default") {
  Program none;
  CHECK(none.Run({}).proceed);
  CHECK_FALSE(none.settings.has_listen);
  Program flag;
  CHECK(flag.Run({"--listen=127.0.0.1:5050"}).proceed);
  CHECK(flag.settings.has_listen);
  Program environment;
  CHECK(environment.Run({}, {"DEMO_SERVER_LISTEN=127.0.0.1:5050"}).proceed);
  CHECK(environment.settings.has_listen);
}

TEST_CASE("a switch can be turned off again") {
  Program program;
  REQUIRE(program.Run({"--insecure=false"}, {"DEMO_SERVER_INSECURE=true"}).proceed);
  CHECK_FALSE(program.settings.insecure);
}

TEST_CASE("the last of equal flags wins") {
  Program program;
  REQUIRE(program.Run({"--shards=1", "--insecure", "--shards", "2", "--insecure=false"}).proceed);
  CHECK(program.settings.shards == 2);
  CHECK_FALSE(program.settings.insecure);
}

TEST_CASE("the file can be named by the environment") {
  const TempDir dir;
  REQUIRE(WriteFileAtomically(dir / "a.toml", "shards = 3\n", 0600).ok());
  REQUIRE(WriteFileAtomically(dir / "b.toml", "shards = 4\n", 0600).ok());
  Program program;
  REQUIRE(program.Run({}, {"DEMO_SERVER_CONFIG=" + dir / "a.toml"}).proceed);
  CHECK(program.settings.shards == 3);
  REQUIRE(program.Run({"--config=" + dir / "b.toml"}, {"DEMO_SERVER_CONFIG=" + dir / "a.toml"}).proceed);
  CHECK(program.settings.shards == 4);
}

TEST_CASE("unknown flags and arguments refuse to start") {
  CHECK(Refusal({"--shard=3"}) == "demo_server: unknown flag --shard; see demo_server --help\n");
  CHECK(Contains(Refusal({"--shards=3", "--nonsense", "x"}), "unknown flag --nonsense;"));
  CHECK(Contains(Refusal({"-x"}), "unknown flag -x;"));
  CHECK(Contains(Refusal({"start"}), "unexpected argument \"start\""));
  CHECK(Contains(Refusal({"--insecure", "true"}), "unexpected argument \"true\""));
  CHECK(Contains(Refusal({"--shards"}), "--shards"));
}

TEST_CASE("bad flag values name the flag, the value and what was expected") {
  CHECK(Refusal({"--shards=5000"}) == "demo_server: --shards=5000 (flag): must be 1 to 4096; see demo_server --help\n");
  CHECK(Contains(Refusal({"--shards=x"}), "--shards=x (flag): expected a whole number"));
  CHECK(Contains(Refusal({"--shards="}), "--shards"));
  CHECK(Contains(Refusal({"--drain-timeout=5"}), "--drain-timeout=5 (flag): expected a duration"));
  CHECK(Contains(Refusal({"--drain-timeout=0"}), "--drain-timeout=0 (flag): must be 1ms to 1h"));
  CHECK(Contains(Refusal({"--max-bytes=1"}), "--max-bytes=1 (flag): must be at least 1KiB"));
  CHECK(Contains(Refusal({"--listen=nowhere"}), "--listen=nowhere (flag): expected HOST:PORT"));
  CHECK(Contains(Refusal({"--colour=green"}), "--colour=green (flag): expected one of red|blue"));
  CHECK(Contains(Refusal({"--insecure=maybe"}), "--insecure=maybe (flag): expected true or false"));
}

TEST_CASE("bad environment variables refuse to start, overridden or not") {
  CHECK(Contains(Refusal({}, {"DEMO_SERVER_SHARDS=0"}), "DEMO_SERVER_SHARDS=0 (environment): must be 1 to 4096"));
  CHECK(Contains(Refusal({"--shards=1"}, {"DEMO_SERVER_SHARDS=0"}), "DEMO_SERVER_SHARDS=0 (environment)"));
  CHECK(Contains(Refusal({}, {"DEMO_SERVER_SHARD=1"}), "unknown environment variable DEMO_SERVER_SHARD;"));
  CHECK(Contains(Refusal({}, {"DEMO_SERVER_HELP=1"}), "unknown environment variable DEMO_SERVER_HELP;"));
}

TEST_CASE("what container platforms inject, and what is empty, is not ours") {
  Program program;
  const auto result =
      program.Run({}, {"DEMO_SERVER_PORT=tcp://10.0.0.1:5050", "DEMO_SERVER_PORT_5050_TCP=tcp://10.0.0.1:5050",
                       "DEMO_SERVER_PORT_5050_TCP_ADDR=10.0.0.1", "DEMO_SERVER_SERVICE_HOST=10.0.0.1",
                       "DEMO_SERVER_SERVICE_PORT=5050", "DEMO_SERVER_SERVICE_PORT_GRPC=5050", "DEMO_SERVER_SHARDS="});
  INFO(result.text);
  CHECK(result.proceed);
  CHECK(program.settings.shards == 16);
}

struct SettingsFile {
  // What the program says when it refuses to start with these contents.
  std::string Refused(const std::string& contents) const {
    REQUIRE(WriteFileAtomically(path, contents, 0600).ok());
    return Refusal({"--config=" + path});
  }

  TempDir dir;
  const std::string path = dir / "demo.toml";
};

TEST_CASE("a bad file refuses to start with its place") {
  const SettingsFile settings_file;
  const std::string& file = settings_file.path;
  const auto refusal = [&](const std::string& contents) { return settings_file.Refused(contents); };
  CHECK(Contains(refusal("\nshard = 1\n"), file + ":2: unknown key \"shard\""));
  CHECK(Contains(refusal("shards = 0\n"), "shards=0 (" + file + ":1): must be 1 to 4096"));
  CHECK(Contains(refusal("drain-timeout = 5\n"), "drain-timeout=5 (" + file + ":1): expected a duration"));
  CHECK(Contains(refusal("nonsense\n"), file + ":1: "));
  CHECK(Contains(refusal("config = \"other.toml\"\n"), file + ":1: unknown key \"config\""));
  CHECK(Contains(Refusal({"--config=" + settings_file.dir / "absent"}),
                 settings_file.dir / "absent: cannot open: No such file"));
}

TEST_CASE("an error takes one line, whatever was given") {
  const SettingsFile settings_file;
  const std::string& file = settings_file.path;
  const auto refusal = [&](const std::string& contents) { return settings_file.Refused(contents); };
  for (const std::string& text :
       {refusal("shards=n\n"), refusal("\"a\\nb\" = 1"), refusal("listen = \"a\\nb\""),
        Refusal({"--listen=a\nb\x1b[2J"}), Refusal({"a\nb"}), refusal("listen = \"a\\u009b2J\"")}) {
    INFO(text);
    REQUIRE(text.back() == '\n');
    CHECK(WithoutControls(text) == text.substr(0, text.size() - 1) + "\\n");
  }
  CHECK(Contains(refusal("listen = \"a\\nb\""), "listen=a\\nb (" + file + ":1)"));
}

TEST_CASE("the flag --help tells every setting with default, range and environment") {
  Program program;
  const auto result = program.Run({"--help", "--nonsense"});
  CHECK_FALSE(result.proceed);
  CHECK(program.Run({"-h"}).text == program.Run({"--help"}).text);
  const std::string help = program.Run({"--help"}, {"DEMO_SERVER_WRONG=1"}).text;
  CHECK(program.Run({"--help"}).exit_code == 0);
  CHECK(Contains(help, "demo_server " + std::string(Version()) + "\nA demonstration.\n"));
  CHECK(Contains(help,
                 "\nThings:\n  --insecure\n      Serves without TLS.\n      Default: false. Environment: "
                 "DEMO_SERVER_INSECURE.\n"));
  CHECK(Contains(
      help,
      "  --shards=NUMBER\n      How many.\n      Default: 16. Allowed: 1 to 4096. Environment: DEMO_SERVER_SHARDS.\n"));
  CHECK(Contains(help,
                 "  --data-dir=PATH\n      Where data is.\n      Default: none. Environment: DEMO_SERVER_DATA_DIR.\n"));
  CHECK(Contains(help, "Default: 10s. Allowed: 1ms to 1h."));
  CHECK(Contains(help, "Default: 64MiB. Allowed: at least 1KiB."));
  CHECK(Contains(help, "  --colour=red|blue\n      A <colour>.\n      Default: red."));
  CHECK(Contains(help, "  --config=PATH\n"));
  CHECK(Contains(help, "  --version\n"));
}

TEST_CASE("the flag --version") {
  Program program;
  const auto result = program.Run({"--version"});
  CHECK(result.exit_code == 0);
  CHECK(result.text == "demo_server " + std::string(Version()) + "\n");
}

TEST_CASE("the reference as Markdown") {
  Program program;
  const std::string markdown = program.Run({"--help-markdown"}).text;
  CHECK(Contains(markdown, "## demo_server\n\nA demonstration.\n"));
  CHECK(Contains(markdown, "\n### Things\n\n| Flag | Environment | Default | Meaning |\n| --- | --- | --- | --- |\n"));
  CHECK(Contains(markdown, "| `--shards=NUMBER` | `DEMO_SERVER_SHARDS` | `16` | How many. Allowed: 1 to 4096. |\n"));
  CHECK(Contains(markdown, "| `--colour=red\\|blue` | `DEMO_SERVER_COLOUR` | `red` | A &lt;colour>. |\n"));
  CHECK(Contains(markdown, "| `--data-dir=PATH` | `DEMO_SERVER_DATA_DIR` | none | Where data is. |\n"));
}

}  // namespace
}  // namespace kvs
