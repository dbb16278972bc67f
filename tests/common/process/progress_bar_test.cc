#include "common/process/progress_bar.h"

#include <sstream>

#include "tests/support/catch.h"

namespace kvs {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST_CASE("a bar is drawn on one line, a few times a second, and cleared") {
  std::ostringstream out;
  {
    ProgressBar bar(out, ProgressBar::Style::kBar, kStart);
    bar.Show("copying", 0, 200, kStart);
    bar.Show("copying", 1, 200, kStart + absl::Milliseconds(99));
    bar.Show("copying", 100, 200, kStart + absl::Milliseconds(100));
    bar.Show("counting", 7, 0, kStart + absl::Milliseconds(200));
  }
  CHECK(out.str() ==
        "\r\x1b[Kcopying [........................................]   0%"
        "\r\x1b[Kcopying [####################....................]  50%"
        "\r\x1b[Kcounting 7"
        "\r\x1b[K");
}

TEST_CASE("where there is no terminal, a line comes every two seconds") {
  std::ostringstream out;
  {
    ProgressBar bar(out, ProgressBar::Style::kLines, kStart);
    for (int tenths = 0; tenths < 50; ++tenths) {
      bar.Show("copying", static_cast<uint64_t>(tenths), 50, kStart + tenths * absl::Milliseconds(100));
    }
  }
  CHECK(out.str() == "copying: 40%\ncopying: 80%\n");
}

TEST_CASE("nothing is shown to programs") {
  std::ostringstream out;
  {
    ProgressBar bar(out, ProgressBar::Style::kNone, kStart);
    bar.Show("copying", 1, 2, kStart + absl::Hours(1));
  }
  CHECK(out.str().empty());
}

}  // namespace
}  // namespace kvs
