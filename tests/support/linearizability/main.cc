// linearizability_load: makes load on a kvs_server until it has so many calls, tells its progress, waits until it is
// told where the ledger's files are, now that no server writes to them, and checks all of it.
// tests/system/linearizability.py runs it.
//
//   linearizability_load ADDRESS CA CERTIFICATE KEY CALLS SEED
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/support/linearizability/checker.h"
#include "tests/support/linearizability/ledger_dump.h"
#include "tests/support/linearizability/load.h"

namespace kvs::linearizability {
namespace {

constexpr size_t kShown = 10;

int Fail(const absl::Status& status) {
  std::cerr << status << std::endl;
  return 1;
}

void PrintFigures(const Figures& figures) {
  std::cout << "{\"calls\": " << figures.calls << ", \"refused\": " << figures.refused << ", \"keys\": " << figures.keys
            << ", \"clients\": " << figures.clients << ", \"overlapping\": " << figures.overlapping
            << ", \"unknown\": " << figures.unknown << ", \"unknown_found\": " << figures.unknown_found
            << ", \"changes\": " << figures.changes << "}" << std::endl;
}

int Run(char** argv) {
  LoadOptions options;
  options.server.address = argv[1];
  options.server.ca = argv[2];
  options.server.certificate = argv[3];
  options.server.key = argv[4];
  options.calls = std::stoull(argv[5]);
  options.seed = std::stoull(argv[6]);
  options.on_progress = [](uint64_t calls) { std::cout << calls << std::endl; };
  const auto history = RunLoad(options);
  if (!history.ok()) return Fail(history.status());
  std::cout << "done" << std::endl;

  std::string directory;
  std::getline(std::cin, directory);
  const auto ledger = ReadLedger(directory);
  if (!ledger.ok()) return Fail(ledger.status());
  Verdict verdict = Check(*history, *ledger);
  PrintFigures(verdict.figures);
  if (verdict.violations.empty()) return 0;
  const size_t count = verdict.violations.size();
  verdict.violations.resize(std::min(count, kShown));
  std::cerr << "not linearizable; of " << count << " violations or more the first are:\n"
            << Describe(*history, verdict.violations);
  return 1;
}

}  // namespace
}  // namespace kvs::linearizability

int main(int argc, char** argv) {
  if (argc == 7) return kvs::linearizability::Run(argv);
  std::cerr << "usage: linearizability_load ADDRESS CA CERTIFICATE KEY CALLS SEED\n";
  return 2;
}
