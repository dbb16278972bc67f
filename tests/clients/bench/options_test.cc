#include "clients/bench/options.h"

#include <functional>
#include <string>

#include "tests/support/catch.h"

namespace kvs::bench {
namespace {

std::string ProblemOf(const std::function<void(Options*)>& change) {
  Options options;
  change(&options);
  return std::string(Check(options).message());
}

TEST_CASE("the defaults of a load are good ones") { CHECK(Check(Options()).ok()); }

TEST_CASE("every option of a load is checked, and the error names its flag and what it takes") {
  CHECK(ProblemOf([](Options* o) { o->connections = 0; }) == "--connections must be 1 to 1000, not 0");
  CHECK(ProblemOf([](Options* o) { o->outstanding = 100'004; }) == "--outstanding must be 1 to 100000, not 100004");
  CHECK(ProblemOf([](Options* o) { o->threads = 65; }) == "--threads must be 1 to 64, not 65");
  CHECK(ProblemOf([](Options* o) { o->rate = 10'000'001; }) == "--rate must be 0 to 10000000, not 10000001");
  CHECK(ProblemOf([](Options* o) { o->reads = 101; }) == "--reads must be 0 to 100, not 101");
  CHECK(ProblemOf([](Options* o) { o->keys = 0; }) == "--keys must be 1 to 1000000000, not 0");
  CHECK(ProblemOf([](Options* o) { o->key_size = 11; }) == "--key-size must be 12 to 1024, not 11");
  CHECK(ProblemOf([](Options* o) { o->value_size = 1'048'577; }) == "--value-size must be 0 to 1048576, not 1048577");
  CHECK(ProblemOf([](Options* o) {
          o->via = Via::kMulti;
          o->batch = 10'001;
        }) == "--batch must be 1 to 10000, not 10001");
  CHECK(ProblemOf([](Options* o) { o->duration = absl::ZeroDuration(); }) ==
        "--duration must be more than 0 and at most 24h");
  CHECK(ProblemOf([](Options* o) { o->warmup = absl::Hours(25); }) == "--warmup must be at most 24h");
}

TEST_CASE("options of a load that do not go together are refused") {
  CHECK_THAT(ProblemOf([](Options* o) { o->batch = 2; }), ContainsText("leave --batch out"));
  CHECK(ProblemOf([](Options* o) { o->verb = Verb::kIncr; }) == "incr is for --type int");
  CHECK(ProblemOf([](Options* o) { o->threads = 3; }) ==
        "--connections must be a multiple of --threads, and 4 is none of 3");
  CHECK(ProblemOf([](Options* o) { o->outstanding = 6; }) ==
        "--outstanding must be a multiple of --connections, and 6 is none of 4");
  CHECK_THAT(ProblemOf([](Options* o) {
               o->via = Via::kMulti;
               o->batch = 10'000;
               o->value_size = 1000;
             }),
             ContainsText("a message would be over 2 MiB"));
}

}  // namespace
}  // namespace kvs::bench
