// The kvs command with a real pair behind it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/clients/support/cli.h"
#include "tests/support/pair.h"

namespace kvs {

class PairCli {
 public:
  // `configure` may change the settings of kvs_server.
  explicit PairCli(const std::function<void(server::Config&)>& configure = [](server::Config&) {}) {
    configure(pair_.kvs_config());
    pair_.Start();
    cli_.SetVariable("KVS_ADDRESS", "127.0.0.1:" + std::to_string(pair_.kvs().port()))
        .SetVariable("KVS_PLAINTEXT", "true");
  }

  Pair& pair() { return pair_; }
  TestCli& cli() { return cli_; }
  const TestCli& cli() const { return cli_; }

  CommandResult Run(const std::vector<std::string>& words) const { return cli_(words); }

  // The output of a command that must succeed.
  std::string Out(const std::vector<std::string>& words) const {
    const CommandResult result = cli_(words);
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    return result.out;
  }

  // The error of a command that must end with `status`.
  std::string Err(int status, const std::vector<std::string>& words) const {
    const CommandResult result = cli_(words);
    INFO(result.out << result.err);
    CHECK(result.status == status);
    return result.err;
  }

 private:
  Pair pair_;
  TestCli cli_;
};

}  // namespace kvs
