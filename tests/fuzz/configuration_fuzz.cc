// The settings of both programs, from arguments, the environment and a file: whatever they hold, they are accepted or
// refused with one line of text.
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/config/address.h"
#include "common/config/toml_file.h"
#include "common/config/values.h"
#include "kvs_server/config.h"
#include "tests/fuzz/fuzz.h"
#include "txn_server/config.h"

namespace kvs::fuzz::configuration {

// A file that exists in memory alone.
class MemoryFile {
 public:
  explicit MemoryFile(absl::string_view contents) : fd_(memfd_create("settings", 0)) {
    Require(fd_ >= 0 && write(fd_, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size()),
            "no file in memory");
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

 private:
  const int fd_;
};

// The lines of a section, without those that name another file to read.
std::vector<std::string> Lines(const std::string& section) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(section, '\n', absl::SkipEmpty())) {
    if (!absl::StrContains(absl::AsciiStrToLower(line), "config")) lines.emplace_back(line);
  }
  return lines;
}

// Numbers with units have one meaning, which survives being written.
void CheckValues(absl::string_view text) {
  if (const auto bytes = ParseByteSize(text); bytes.ok()) {
    const auto again = ParseByteSize(FormatByteSize(*bytes));
    Require(again.ok() && *again == *bytes, "a size is written as another one");
  }
  if (const auto address = ParseAddress(text); address.ok()) {
    const auto again = ParseAddress(address->ToString());
    Require(again.ok() && *again == *address, "an address is written as another one");
    IsLoopback(*address);
  }
  if (const auto duration = ParseDuration(text); duration.ok()) {
    Require(*duration >= absl::ZeroDuration() && *duration < absl::InfiniteDuration(), "a duration is none");
  }
  static_cast<void>(ParseInteger(text));
  static_cast<void>(ParseBool(text));
}

// As main does it.
template <class Config, class Check>
void Parse(ConfigParser parser, const Config& config, Check check, std::vector<std::string> arguments,
           const std::vector<std::string>& environment, const MemoryFile& file) {
  arguments.push_back("--config=" + file.path());
  const ConfigParser::Result result = parser.Parse(arguments, environment);
  if (result.proceed) {
    static_cast<void>(check(config));
    return;
  }
  Require(!result.text.empty(), "settings were refused without a word");
  Require(result.exit_code == 0 || !absl::StrContains(result.text.substr(0, result.text.size() - 1), '\n'),
          "an error takes more than a line");
}

void Run(absl::string_view input) {
  const std::vector<std::string> sections = Sections(input, 4);
  const std::vector<std::string> arguments = Lines(sections[1]);
  const std::vector<std::string> environment = Lines(sections[2]);
  const MemoryFile file(sections[3]);
  static_cast<void>(ReadTomlFile(file.path()));
  for (const std::string& line : arguments) CheckValues(absl::string_view(line).substr(line.find('=') + 1));
  if (absl::StartsWith(sections[0], "kvs")) {
    server::Config config;
    Parse(server::MakeConfigParser(&config), config, server::CheckConfig, arguments, environment, file);
  } else {
    txn::Config config;
    Parse(txn::MakeConfigParser(&config), config, txn::CheckConfig, arguments, environment, file);
    static_cast<void>(txn::ExposesPassword(file.path()));
  }
}

std::vector<Seed> MakeSeeds() {
  return {{"kvs",
           "kvs\n====\n--listen=[::1]:5050\n--insecure\n--max-memory=1GiB\n--memory-policy=lru\n====\n"
           "KVS_SERVER_MAX_COMMIT_WAIT=1m30s\nKVS_SERVER_SHARDS=8\n====\n"
           "insecure-ledger = true\nmax-keys = 100 # many\ndrain-timeout = \"10s\"\n"},
          {"txn",
           "txn\n====\n--data-dir=/data\n--insecure\n--ledger=file\n====\nTXN_SERVER_WRITER_TIMEOUT=500ms\n====\n"
           "listen = '127.0.0.1:5051'\nsegment-size = \"64MiB\"\nretention = \"full\"\n"},
          {"postgres",
           "txn\n====\n--ledger=postgres\n====\nTXN_SERVER_TLS_CA=ca.crt\n====\n"
           "postgres-url = \"postgresql://user:secret@host/db\"\ntls-certificate = \"a\"\ntls-key = \"b\"\n"},
          {"toml",
           "kvs\n====\n====\n====\na = 0x7F\n\"b\" = '''\ntext'''\nc = \"\\u00e9\"\nd = 1979-05-27\n[e]\nf = [1, 2]\n"},
          {"bad", "kvs\n====\n--unknown=1\n====\nKVS_SERVER_PORT_80_TCP=tcp://\n====\nlisten 1\n"}};
}

const Registration registration("configuration", Run, MakeSeeds);

}  // namespace kvs::fuzz::configuration
