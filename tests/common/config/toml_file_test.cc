#include "common/config/toml_file.h"

#include "common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs {
namespace {

struct TomlFile {
  absl::StatusOr<std::vector<FileSetting>> Read(absl::string_view contents) const {
    REQUIRE(WriteFileAtomically(path, contents, 0600).ok());
    return ReadTomlFile(path);
  }
  std::string Error(absl::string_view contents) const { return std::string(Read(contents).status().message()); }

  TempDir dir;
  const std::string path = dir / "settings.toml";
};

TEST_CASE("settings of a file come by line") {
  const TomlFile file;
  const auto settings = file.Read(
      "# A comment\n"
      "listen = \"127.0.0.1:5050\"\n"
      "data-dir = 'C:\\data # not a comment'  # a comment\n"
      "\n"
      "shards = 16\n"
      "insecure = true\n"
      "\"name\" = \"gr\\u00fc\\n\"\n");
  REQUIRE(settings.ok());
  REQUIRE(settings->size() == 5);
  const auto check = [&](size_t i, const char* name, const char* text, int line) {
    CHECK((*settings)[i].name == name);
    CHECK((*settings)[i].text == text);
    CHECK((*settings)[i].line == line);
  };
  check(0, "listen", "127.0.0.1:5050", 2);
  check(1, "data-dir", "C:\\data # not a comment", 3);
  check(2, "shards", "16", 5);
  check(3, "insecure", "true", 6);
  check(4, "name", "gr\xC3\xBC\n", 7);
}

TEST_CASE("an empty file has no settings") {
  const TomlFile file;
  CHECK(file.Read("").value().empty());
  CHECK(file.Read("# nothing\n").value().empty());
}

TEST_CASE("what is not TOML is refused with its line") {
  const TomlFile file;
  for (const char* line : {"listen", "listen =", "= 1", "listen = 127.0.0.1:5050", "listen = \"open", "a = 1 b = 2",
                           "a = 'x\" ", "[section", "listen: 1", "{}", "\x01", "a = yes"}) {
    INFO(line << " gives " << file.Error(std::string("ok = 1\n") + line));
    CHECK(file.Error(std::string("ok = 1\n") + line).find(file.path + ":2: ") == 0);
  }
  CHECK(file.Error("a = '\xFF'").find(file.path + ":1: ") == 0);
  CHECK(file.Error("a = 1\na = 2\n").find(file.path + ":2: ") == 0);
}

TEST_CASE("values that no setting can have are refused with their name") {
  const TomlFile file;
  for (const char* line : {"a = 1.5", "a = [1]", "a = { b = 1 }", "a = 2026-01-31", "a = 10:00:00", "a.b = 1", "[a]"}) {
    INFO(line);
    const std::string error = file.Error(line);
    CHECK(error.find(file.path + ":1: \"a\" must be") == 0);
  }
}

TEST_CASE("a file that cannot be read is named") {
  const TempDir dir;
  CHECK(std::string(ReadTomlFile(dir / "absent.toml").status().message()).find(dir / "absent.toml") == 0);
  CHECK(std::string(ReadTomlFile(dir.path()).status().message()).find(dir.path()) == 0);
}

}  // namespace
}  // namespace kvs
