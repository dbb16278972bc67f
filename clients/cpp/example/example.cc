// A visit counter: counts a visit and remembers who came.
//
//   make run                                    # in another terminal, in the folder that holds .kvs/
//   deploy/dev/build.sh release kvs_example
//   build/release/bin/kvs_example localhost:5050 .kvs/certs alice
//
// Shows the three things that every program needs: connecting, calling, and telling errors apart.

#include <iostream>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"

namespace {

int Fail(absl::string_view what, const absl::Status& status) {
  std::cerr << what << ": " << status.message() << "\n";
  if (kvs::client::MayHaveHappened(status)) std::cerr << "the visit may have been counted all the same\n";
  return 1;
}

int Run(const std::string& address, const std::string& certificates, const std::string& visitor) {
  auto client = kvs::client::Client::Connect({
      .address = address,
      .ca = certificates + "/ca.crt",
      .certificate = certificates + "/client.crt",
      .key = certificates + "/client.key",
  });
  if (!client.ok()) return Fail("cannot use these options", client.status());

  const auto known = client->sets().Contains("example:visitors", visitor);
  if (!known.ok() && !kvs::Is(known.status(), kvs::errors::kKeyNotFound)) return Fail("contains", known.status());

  const auto visits = client->ints().Increment("example:visits");
  if (!visits.ok()) return Fail("increment", visits.status());
  const auto added = client->sets().Add("example:visitors", std::vector<std::string>{visitor});
  if (!added.ok()) return Fail("add", added.status());

  std::cout << "visit " << visits->value() << " by " << added->size() << " visitors; "
            << (known.ok() && known->contains() ? "welcome back, " : "hello, ") << visitor << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: kvs_example ADDRESS CERTIFICATE_FOLDER NAME\n";
    return 2;
  }
  return Run(argv[1], argv[2], argv[3]);
}
