#include "clients/cli/input.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

// Gives one piece for each Read; the last one may be an error. Ready for as many as the test says.
class Pieces final : public Input {
 public:
  explicit Pieces(std::vector<std::string> pieces, absl::Status end = absl::OkStatus())
      : pieces_(std::move(pieces)), end_(std::move(end)) {}

  absl::StatusOr<size_t> Read(char* to, size_t size) override {
    if (next_ == pieces_.size()) return end_.ok() ? absl::StatusOr<size_t>(0) : end_;
    return pieces_[next_++].copy(to, size);
  }
  bool IsReady() override { return next_ < ready_; }
  void SetReady(size_t pieces) { ready_ = pieces; }

 private:
  const std::vector<std::string> pieces_;
  const absl::Status end_;
  size_t next_ = 0;
  size_t ready_ = 0;
};

std::vector<std::string> LinesOf(Input& in) {
  LineReader reader(&in);
  std::vector<std::string> lines;
  for (std::string line;;) {
    const auto more = reader.Next(&line);
    if (!more.ok()) lines.push_back("error: " + std::string(more.status().message()));
    if (!more.ok() || !*more) return lines;
    lines.push_back(line);
    CHECK(reader.number() == static_cast<int>(lines.size()));
  }
}

using Lines = std::vector<std::string>;

TEST_CASE("lines end where they end, however they arrive") {
  Pieces none({});
  CHECK(LinesOf(none).empty());
  Pieces some({"a\nb", "", "c\n", "\n\nd", "e"});
  // A read of nothing is the end.
  CHECK(LinesOf(some) == Lines{"a", "b"});
  Pieces all({"a\nb", "c\n", "\n\nd", "e"});
  CHECK(LinesOf(all) == Lines{"a", "bc", "", "", "de"});
  const std::string large(200'000, 'x');
  Pieces pieces({large.substr(0, 60'000), large.substr(0, 60'000), "\n" + large.substr(0, 60'000), "\n"});
  CHECK((LinesOf(pieces) == Lines{large.substr(0, 120'000), large.substr(0, 60'000)}));
}

TEST_CASE("an error is told behind the lines before it, and again and again") {
  Pieces in({"a\nb"}, absl::FailedPreconditionError("cannot read"));
  CHECK(LinesOf(in) == Lines{"a", "error: cannot read"});
  Pieces again({}, absl::FailedPreconditionError("cannot read"));
  LineReader reader(&again);
  std::string line;
  CHECK_FALSE(reader.Next(&line).ok());
  CHECK_FALSE(reader.Next(&line).ok());
}

TEST_CASE("a line is ready when all of it is at hand") {
  Pieces in({"a\nb", "\n", "c"});
  LineReader reader(&in);
  CHECK_FALSE(reader.IsReady());
  in.SetReady(1);
  CHECK(reader.IsReady());
  std::string line;
  CHECK(*reader.Next(&line));
  CHECK_FALSE(reader.IsReady());
  in.SetReady(2);
  CHECK(reader.IsReady());
  CHECK(*reader.Next(&line));
  CHECK(line == "b");
  in.SetReady(4);
  // The end is ready too.
  CHECK(reader.IsReady());
  CHECK(*reader.Next(&line));
  CHECK(line == "c");
  CHECK_FALSE(*reader.Next(&line));
}

TEST_CASE("a text is read up to its end or the limit") {
  Pieces in({"ab", "cd"});
  CHECK(*ReadText(in, 10) == "abcd");
  Pieces limited({"ab", "cd"});
  CHECK(*ReadText(limited, 3) == "abc");
  Pieces broken({"ab"}, absl::FailedPreconditionError("cannot read"));
  CHECK(ReadText(broken, 10).status().message() == "cannot read");
}

TEST_CASE("places in the input") {
  CHECK(LinesText(3, 3) == "line 3");
  CHECK(LinesText(3, 7) == "lines 3 to 7");
}

}  // namespace
}  // namespace kvs::cli
