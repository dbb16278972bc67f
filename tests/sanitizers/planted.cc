// Mistakes made on purpose: a build with sanitizers must report them, which shows that its options and suppressions
// hide nothing of ours. Usage: planted race | use-after-free | overflow
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>

namespace {

int shared_counter = 0;

// Keeps the compiler from seeing what the sanitizer is to find.
const int* volatile freed = nullptr;

void Race() {
  std::thread first([] { ++shared_counter; });
  std::thread second([] { ++shared_counter; });
  first.join();
  second.join();
}

void UseAfterFree() {
  auto owner = std::make_unique<int>(1);
  freed = owner.get();
  owner.reset();
  std::printf("%d\n", *freed);
}

void Overflow() {
  volatile int number = std::numeric_limits<int>::max();
  number = number + 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mistake = argc == 2 ? argv[1] : "";
  if (mistake == "race") {
    Race();
  } else if (mistake == "use-after-free") {
    UseAfterFree();
  } else if (mistake == "overflow") {
    Overflow();
  } else {
    return 2;
  }
  return 0;
}
