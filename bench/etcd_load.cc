// The load of `kvs bench` on an etcd server: linearizable gets, puts, and transactions of many puts. Prints what
// `kvs bench --output json` does.

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "clients/bench/load.h"
#include "clients/bench/report.h"
#include "etcdserverpb/kv.pb.h"

namespace {

using kvs::bench::Message;
using kvs::bench::RequestTemplate;

// The field `count` of the response tells whether the key was there.
uint32_t CheckFound(absl::string_view response, uint32_t, absl::Status* error) {
  etcdserverpb::RangeResponse range;
  const bool found = range.ParseFromArray(response.data(), static_cast<int>(response.size())) && range.count() == 1;
  if (!found) error->Update(absl::NotFoundError("the key is not there"));
  return found ? 0 : 1;
}

etcdserverpb::PutRequest Put(const kvs::bench::Options& options, const kvs::bench::KeySpace& keys) {
  etcdserverpb::PutRequest put;
  put.set_key(keys.Name(0));
  put.set_value(std::string(options.value_size, 'v'));
  return put;
}

Message MakeMessage(const std::string& what, const kvs::bench::Options& options, uint64_t batch) {
  const kvs::bench::KeySpace keys(options.keys, options.key_size);
  if (what == "get") {
    etcdserverpb::RangeRequest range;
    range.set_key(keys.Name(0));
    return {"/etcdserverpb.KV/Range", RequestTemplate(range, keys), CheckFound};
  }
  if (batch == 1) {
    return {"/etcdserverpb.KV/Put", RequestTemplate(Put(options, keys), keys), kvs::bench::CheckNothing};
  }
  etcdserverpb::TxnRequest transaction;
  for (uint64_t i = 0; i < batch; ++i) *transaction.add_success()->mutable_request_put() = Put(options, keys);
  return {"/etcdserverpb.KV/Txn", RequestTemplate(transaction, keys), kvs::bench::CheckNothing};
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  kvs::bench::Options options;
  std::string address;
  std::string what = "get";
  double duration = 10;
  double warmup = 1;
  bool fill = false;
  CLI::App app("The load of `kvs bench` on an etcd server");
  app.add_option("--address", address, "HOST:PORT")->required();
  app.add_option("what", what, "get or put")->check(CLI::IsMember({"get", "put"}));
  app.add_option("--batch", options.batch, "Puts of a transaction, at most 128 where etcd has its default");
  app.add_option("--keys", options.keys, "How many keys");
  app.add_option("--connections", options.connections, "How many");
  app.add_option("--outstanding", options.outstanding, "Messages under way at a time");
  app.add_option("--duration", duration, "How long to measure, in seconds");
  app.add_option("--warmup", warmup, "How long before that, in seconds");
  app.add_flag("--fill", fill, "Put every key once, in transactions, and measure that");
  CLI11_PARSE(app, argc, argv);
  options.duration = absl::Seconds(duration);
  options.warmup = absl::Seconds(warmup);
  options.via = kvs::bench::Via::kMulti;
  if (const absl::Status good = kvs::bench::Check(options); !good.ok()) {
    std::fprintf(stderr, "etcd_load: %s\n", std::string(good.message()).c_str());
    return 2;
  }

  const auto make_channel = [&address]() -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  };
  // etcd refuses a transaction that puts a key twice.
  kvs::bench::Workload workload{.operations = static_cast<uint32_t>(options.batch), .has_distinct_keys = true};
  workload.messages.push_back(MakeMessage(fill ? "put" : what, options, options.batch));
  const auto result =
      fill ? RunFill(options, {workload, (options.keys + options.batch - 1) / options.batch}, make_channel)
           : RunLoad(options, workload, make_channel);
  if (!result.ok()) {
    std::fprintf(stderr, "etcd_load: %s\n", std::string(result.status().message()).c_str());
    return 3;
  }
  std::printf("%s\n", kvs::bench::Json(*result).c_str());
  return result->failed_operations == 0 ? 0 : 1;
}
