// What libFuzzer calls: the one target of the program.
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvs::fuzz::Targets().front().run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
