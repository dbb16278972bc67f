#include "common/tls/credentials.h"

#include <utility>

#include "common/logging/logging.h"

namespace kvs {
namespace {

constexpr absl::Duration kExpiryWarning = absl::Hours(7 * 24);

std::string Text(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone()); }

}  // namespace

absl::StatusOr<std::unique_ptr<ReloadingCredentials>> ReloadingCredentials::Create(TlsFiles files,
                                                                                   ReloadOptions options) {
  auto contents = ReadTlsFiles(files);
  if (!contents.ok()) return contents.status();
  auto keys = CheckKeySet(files, *contents, options.now(), options.use);
  if (!keys.ok()) return keys.status();
  return std::unique_ptr<ReloadingCredentials>(
      new ReloadingCredentials(std::move(files), std::move(options), *contents, *std::move(keys)));
}

ReloadingCredentials::ReloadingCredentials(TlsFiles files, ReloadOptions options, const TlsFiles& contents,
                                           KeySet first)
    : files_(std::move(files)), options_(std::move(options)), source_(std::move(first)), used_contents_(contents) {
  if (options_.poll_interval != absl::InfiniteDuration()) watcher_ = std::thread([this] { Watch(); });
}

ReloadingCredentials::~ReloadingCredentials() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stop_.SignalAll();
  }
  if (watcher_.joinable()) watcher_.join();
}

std::shared_ptr<grpc::ServerCredentials> ReloadingCredentials::Server(ClientAuth client_auth) {
  auto credentials = std::make_shared<FetchingServerCredentials>(source_, client_auth);
  MutexLock lock(&mutex_);
  servers_.push_back(credentials);  // A server does not keep them, but uses them to its end.
  return credentials;
}

std::shared_ptr<grpc::ChannelCredentials> ReloadingCredentials::Channel(const PeerCheck& check) const {
  return MakeChannelCredentials(*source_.Get().keys, check);
}

absl::Status ReloadingCredentials::Reload() {
  const auto contents = ReadTlsFiles(files_);
  if (!contents.ok()) return contents.status();
  MutexLock lock(&mutex_);
  return Use(*contents);
}

absl::Status ReloadingCredentials::Use(const TlsFiles& contents) {
  if (contents == used_contents_) return absl::OkStatus();
  auto keys = CheckKeySet(files_, contents, options_.now(), options_.use);
  if (!keys.ok()) return keys.status();
  LogInfo("TLS certificate reloaded, new connections use it",
          {{"file", files_.certificate}, {"serial_number", keys->serial_number}, {"expires", Text(keys->not_after)}});
  source_.Replace(*std::move(keys));
  used_contents_ = contents;
  return absl::OkStatus();
}

void ReloadingCredentials::Watch() {
  while (true) {
    Look();
    WarnOfExpiry();
    MutexLock lock(&mutex_);
    const absl::Time next = absl::Now() + options_.poll_interval;
    while (!stopping_ && absl::Now() < next) stop_.WaitWithTimeout(&mutex_, next - absl::Now());
    if (stopping_) return;
  }
}

// Files that are replaced one after the other do not belong together for a moment, so a refusal is logged when the next
// look meets it again.
void ReloadingCredentials::Look() {
  const absl::Status status = Reload();
  const std::string refusal(status.message());
  if (refusal != refusal_) {
    refusal_ = refusal;
    refusal_logged_ = false;
  } else if (!status.ok() && !refusal_logged_) {
    LogWarn("changed TLS files refused, the old ones stay in use", {{"reason", status}});
    refusal_logged_ = true;
  }
}

void ReloadingCredentials::WarnOfExpiry() {
  const KeySetSource::Numbered current = source_.Get();
  if (current.keys->not_after <= options_.now() && current.generation != end_logged_generation_) {
    LogError("TLS certificate has expired, peers refuse it: put a new one into its file, no restart is needed",
             {{"file", files_.certificate}, {"expired", Text(current.keys->not_after)}});
    expiry_logged_generation_ = end_logged_generation_ = current.generation;
  }
  if (current.generation == expiry_logged_generation_) return;
  if (current.keys->not_after - options_.now() > kExpiryWarning) return;
  LogWarn("TLS certificate expires soon, renew it",
          {{"file", files_.certificate}, {"expires", Text(current.keys->not_after)}});
  expiry_logged_generation_ = current.generation;
}

}  // namespace kvs
