// A client of kvs_server.
//
//   auto client = kvs::client::Client::Connect({.address = "localhost:5050", .ca = "ca.crt"});
//   if (!client.ok()) ...
//   auto visits = client->ints().Increment("visits");
//   if (visits.ok()) std::cout << visits->value();
//
// Errors are absl::Status with the server's code and message; common/errors.h (ReasonOf, MetadataOf, Is) reads the
// reason that programs branch on. docs/errors.md lists the reasons.
//
// Mutations can be made to depend on what is there: see clients/cpp/precondition.h.
//
// Retries happen inside a call, with growing and jittered pauses, as long as its timeout leaves the next attempt a fair
// share of time:
// 1. A call that found no connection was not sent and is tried again (kUnreachable if that does not help), unless
//    Options::fail_fast is set.
// 2. An answer that says that nothing was done and that this may pass (NOT_APPLIED, REPLAYING, DRAINING,
//    PENDING_WINDOW_FULL, TOO_MANY_WAITING, PENDING_WRITE) is tried again; so is a list or scan that was given no
//    place, or lost it, before any of it was visited (TOO_MANY_SCANS, SCAN_OVERTAKEN, SCAN_STALLED).
// 3. A read is tried again at any UNAVAILABLE.
// 4. A mutation that may have happened (see MayHaveHappened) is tried again under the same request_id, which makes sure
//    that it takes effect once, for at most 5 minutes, with Options::fail_fast too. It is not where it has no
//    request_id: an independent batch with an operation that was not given one, and a call with many keys that is
//    larger than 1 MiB, since a request_id makes that one record of the ledger, which may be too large then.
//
// Thread-safe: any number of threads may use one Client, its copies and its stores at once. Proxies from the
// environment (http_proxy) are not used.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>

#include "clients/cpp/batch.h"
#include "clients/cpp/options.h"
#include "clients/cpp/stores.h"

namespace grpc {
class Channel;
}

namespace kvs::client {

class Client {
 public:
  // Reads the PEM files and prepares the connection, which the first call makes: a server that is away is no error
  // here. kInvalidAddress or kInvalidCredentials, which name the option, if the options cannot be used.
  static absl::StatusOr<Client> Connect(const Options& options);

  const IntStore& ints() const { return ints_; }
  const UintStore& uints() const { return uints_; }
  const FloatStore& floats() const { return floats_; }
  const StringStore& strings() const { return strings_; }
  const SetStore& sets() const { return sets_; }
  const MapStore& maps() const { return maps_; }
  const Keys& keys() const { return keys_; }
  const Batch& batch() const { return batch_; }
  const Maintenance& maintenance() const { return maintenance_; }

  // For calls that this class has no method for, through stubs of one's own.
  std::shared_ptr<grpc::Channel> channel() const;

 private:
  explicit Client(std::shared_ptr<const Connection> connection);

  std::shared_ptr<const Connection> connection_;
  IntStore ints_;
  UintStore uints_;
  FloatStore floats_;
  StringStore strings_;
  SetStore sets_;
  MapStore maps_;
  Keys keys_;
  Batch batch_;
  Maintenance maintenance_;
};

// Whether a mutation that ended with this error may nevertheless have been made, or may yet be. False for every error
// in which the server, or this library, says that nothing was changed.
bool MayHaveHappened(const absl::Status& status);

}  // namespace kvs::client
