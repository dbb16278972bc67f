// TLS credentials for gRPC that follow their files: a renewed certificate is used without a restart.
//
// The files are looked at once a second. A set that belongs together (see key_set.h) is used by every connection made
// after that; existing ones stay. Any other set is refused with one line in the log, and the old one stays in use. TLS
// is 1.2 or 1.3.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/sync.h"
#include "common/tls/channel_credentials.h"
#include "common/tls/key_set.h"
#include "common/tls/key_set_source.h"
#include "common/tls/server_credentials.h"

namespace kvs {

struct ReloadOptions {
  // How often to look at the files. Infinite: only when Reload is called.
  absl::Duration poll_interval = absl::Seconds(1);
  std::function<absl::Time()> now = absl::Now;
  // What the certificate must be good for, at the start and at each reload.
  CertificateUse use;
};

// Thread-safety: thread-safe. Must outlive the servers that use its credentials.
class ReloadingCredentials {
 public:
  // Loads the files. Errors name the file and the reason.
  static absl::StatusOr<std::unique_ptr<ReloadingCredentials>> Create(TlsFiles files, ReloadOptions options = {});
  ~ReloadingCredentials();
  ReloadingCredentials(const ReloadingCredentials&) = delete;
  ReloadingCredentials& operator=(const ReloadingCredentials&) = delete;

  // For a server, which uses what is current at each handshake. Set GRPC_ARG_ALLOW_REUSEPORT to 0 on that server.
  std::shared_ptr<grpc::ServerCredentials> Server(ClientAuth client_auth);

  // For a channel, which goes on using what is current now, for its reconnections too. Whoever holds a connection for
  // long makes a new channel before each new attempt.
  std::shared_ptr<grpc::ChannelCredentials> Channel(const PeerCheck& check) const;

  // Looks at the files at once, as for SIGHUP. An error tells why they were refused; it is not logged.
  absl::Status Reload();

  // The set in use and its number, which changes with each reload.
  KeySetSource::Numbered current() const { return source_.Get(); }

 private:
  ReloadingCredentials(TlsFiles files, ReloadOptions options, const TlsFiles& contents, KeySet first);
  void Watch();
  void Look();
  absl::Status Use(const TlsFiles& contents) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WarnOfExpiry();

  const TlsFiles files_;
  const ReloadOptions options_;
  KeySetSource source_;

  Mutex mutex_;
  TlsFiles used_contents_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<grpc::ServerCredentials>> servers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar stop_;

  // Of the watching thread alone.
  std::string refusal_;  // What the last look met, empty if all was well.
  bool refusal_logged_ = false;
  uint64_t expiry_logged_generation_ = 0;
  uint64_t end_logged_generation_ = 0;
  std::thread watcher_;
};

}  // namespace kvs
