// Runs targets over files instead of fuzzing them, and writes the seeds:
//
//   fuzz_replay TARGET FILE|DIRECTORY...   runs the target over each file, and prints its name first
//   fuzz_replay --write-seeds DIRECTORY    writes DIRECTORY/TARGET/SEED for the seeds of all targets
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace kvs::fuzz {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  Require(file.is_open(), "cannot open " + path.string());
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<std::filesystem::path> FilesOf(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> files;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      files.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

int Replay(const std::string& name, const std::vector<std::string>& arguments) {
  const auto target =
      std::find_if(Targets().begin(), Targets().end(), [&](const Target& target) { return target.name == name; });
  const std::vector<std::filesystem::path> files = FilesOf(arguments);
  if (target == Targets().end() || files.empty()) {
    std::fprintf(stderr, "there is no target %s, or no file to run it over\n", name.c_str());
    return 2;
  }
  for (const std::filesystem::path& file : files) {
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    target->run(ReadFile(file));
  }
  std::printf("%s: %zu inputs\n", name.c_str(), files.size());
  return 0;
}

int WriteSeeds(const std::filesystem::path& directory) {
  for (const Target& target : Targets()) {
    std::filesystem::create_directories(directory / target.name);
    for (const Seed& seed : target.make_seeds()) {
      std::ofstream file(directory / target.name / seed.name, std::ios::binary);
      file << seed.bytes;
      if (!file.flush()) return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace kvs::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: fuzz_replay TARGET FILE|DIRECTORY... | --write-seeds DIRECTORY\n");
    return 2;
  }
  if (arguments[0] == "--write-seeds") return kvs::fuzz::WriteSeeds(arguments[1]);
  return kvs::fuzz::Replay(arguments[0], {arguments.begin() + 1, arguments.end()});
}
