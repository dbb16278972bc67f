#include "common/tls/dev_certificates.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "common/files.h"
#include "common/limits.h"
#include "common/tls/certificate.h"
#include "common/tls/issue.h"

namespace kvs {
namespace {

constexpr absl::Duration kCaValidity = absl::Hours(24 * 3650);
constexpr absl::Duration kLeafValidity = absl::Hours(24 * 365);
constexpr absl::Duration kRenewBefore = absl::Hours(24 * 30);
constexpr absl::Duration kBackdate = absl::Hours(1);  // For clocks that are behind.
constexpr absl::string_view kServerNames[] = {"DNS:localhost", "DNS:kvs", "DNS:txn", "IP:127.0.0.1", "IP:::1"};

// A certificate that the directory should hold.
struct Leaf {
  std::string file_name;  // Without .crt.
  std::string role;
  std::string name;
  bool any_name = false;  // An existing one may have another name.
  bool is_server = false;
  bool is_client = false;
};

// One run over a directory.
class Maker {
 public:
  Maker(const std::string& directory, const DevCertificateOptions& options)
      : directory_(directory), options_(options) {}

  absl::StatusOr<DevCertificateReport> Run();

 private:
  std::string Path(absl::string_view file) const { return absl::StrCat(directory_, "/", file); }
  void Record(absl::string_view file, const std::optional<std::string>& why) {
    report_.entries.push_back({std::string(file), why.has_value(), why.value_or("")});
  }

  absl::Status PrepareCa();
  absl::Status LoadCa();
  absl::Status MakeCa(const std::string& why);
  absl::Status PrepareLeaf(const Leaf& leaf);
  std::optional<std::string> WhyNotGood(const Leaf& leaf) const;
  absl::Status MakeLeaf(const Leaf& leaf);

  const std::string directory_;
  const DevCertificateOptions& options_;
  DevCertificateReport report_;
  IssuedCertificate ca_;  // Without a key when ca.crt was kept and its key is not there.
};

// Turns a login name into the name of an identity.
std::string IdentityName(absl::string_view text) {
  std::string name(text);
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_') c = '-';
  }
  return name;
}

std::string DefaultClientName() {
  const char* user = std::getenv("USER");
  return user == nullptr || *user == '\0' ? "dev" : IdentityName(user);
}

std::vector<Leaf> Leaves(const DevCertificateOptions& options) {
  const bool any_name = options.client_name.empty();
  std::vector<Leaf> leaves = {
      {.file_name = "kvs", .role = std::string(kWriterRole), .name = "kvs", .is_server = true, .is_client = true},
      {.file_name = "txn", .role = std::string(kLedgerRole), .name = "txn", .is_server = true},
      {.file_name = "client",
       .role = std::string(kClientRole),
       .name = any_name ? DefaultClientName() : options.client_name,
       .any_name = any_name,
       .is_client = true}};
  for (const std::string& name : options.clients) {
    leaves.push_back({.file_name = absl::StrCat("client-", name),
                      .role = std::string(kClientRole),
                      .name = name,
                      .is_client = true});
  }
  return leaves;
}

std::string Uri(const Leaf& leaf, const std::string& trust_domain) {
  return absl::StrCat("spiffe://", trust_domain, "/", leaf.role, "/", leaf.name);
}

// The first name of the pair that the certificate of a server is not for, as a reason.
std::optional<std::string> MissingName(const X509& certificate) {
  for (const absl::string_view name : kServerNames) {
    const std::string host(name.substr(name.find(':') + 1));
    if (!IsForHost(certificate, host)) return absl::StrCat("the old one was not for ", host);
  }
  return std::nullopt;
}

absl::Status CheckNames(const DevCertificateOptions& options) {
  const std::string& trust_domain = options.trust_domain;
  for (const Leaf& leaf : Leaves(options)) {
    if (ParseIdentity(Uri(leaf, trust_domain), trust_domain).ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat("\"", leaf.name, "\" in the trust domain \"", trust_domain,
                                                   "\" cannot be an identity: letters, digits, '.', '-' and '_' only"));
  }
  return absl::OkStatus();
}

absl::StatusOr<DevCertificateReport> Maker::Run() {
  if (absl::Status status = PrepareCa(); !status.ok()) return status;
  for (const Leaf& leaf : Leaves(options_)) {
    if (absl::Status status = PrepareLeaf(leaf); !status.ok()) return status;
  }
  return std::move(report_);
}

absl::Status Maker::PrepareCa() {
  const auto text = ReadSmallFile(Path("ca.crt"), kMiB);
  if (absl::IsNotFound(text.status())) return MakeCa("there was none");
  if (!text.ok()) return text.status();
  auto certificates = ParseCertificates(*text);
  if (!certificates.ok()) return MakeCa("the old one was damaged");
  ca_.certificate = std::move(certificates->front());
  const auto key_text = ReadSmallFile(Path("ca.key"), kMiB);
  auto key = key_text.ok() ? ParsePrivateKey(*key_text) : absl::StatusOr<KeyPtr>(key_text.status());
  if (key.ok() && X509_check_private_key(ca_.certificate.get(), key->get()) == 1) ca_.key = *std::move(key);
  OpenSslError();
  if (NotAfter(*ca_.certificate) - options_.now > kRenewBefore) {
    Record("ca.crt", std::nullopt);
    return absl::OkStatus();
  }
  if (ca_.key != nullptr) return MakeCa("the old one was about to expire");
  return absl::FailedPreconditionError(absl::StrCat(
      Path("ca.crt"), " is about to expire and its key ca.key is not there; to start over, remove ca.crt"));
}

absl::Status Maker::MakeCa(const std::string& why) {
  auto issued = IssueCertificate({.common_name = "kvs development CA",
                                  .is_ca = true,
                                  .not_before = options_.now - kBackdate,
                                  .not_after = options_.now + kCaValidity},
                                 nullptr);
  if (!issued.ok()) return issued.status();
  // A crash in between leaves no ca.crt, so that the next run begins again.
  unlink(Path("ca.crt").c_str());
  absl::Status status = WriteFileAtomically(Path("ca.key"), ToPem(*issued->key), 0600);
  if (status.ok()) status = WriteFileAtomically(Path("ca.crt"), ToPem(*issued->certificate), 0644);
  if (!status.ok()) return status;
  ca_ = *std::move(issued);
  Record("ca.crt", why);
  return absl::OkStatus();
}

absl::Status Maker::PrepareLeaf(const Leaf& leaf) {
  const std::string file = absl::StrCat(leaf.file_name, ".crt");
  const std::optional<std::string> why = WhyNotGood(leaf);
  if (why) {
    if (absl::Status status = MakeLeaf(leaf); !status.ok()) return status;
  }
  Record(file, why);
  return absl::OkStatus();
}

std::optional<std::string> Maker::WhyNotGood(const Leaf& leaf) const {
  const TlsFiles files = DevTlsFiles(directory_, leaf.file_name);
  if (access(files.certificate.c_str(), F_OK) != 0) return "there was none";
  const auto keys = LoadKeySet(files, options_.now, {.by_server = leaf.is_server, .by_client = leaf.is_client});
  if (!keys.ok()) return std::string(keys.status().message());
  if (keys->not_after - options_.now <= kRenewBefore) return "the old one was about to expire";
  const auto certificates = ParseCertificates(keys->certificate_pem);
  const X509& certificate = *certificates->front();
  const auto identity = IdentityFromUris(UriNames(certificate), options_.trust_domain);
  if (!identity.ok()) return std::string(identity.status().message());
  if (identity->role != leaf.role || (identity->name != leaf.name && !leaf.any_name)) {
    return absl::StrCat("the old one was of ", identity->uri);
  }
  // Whoever keeps the key of the CA elsewhere chose the names too, and those that are missing here may never be used.
  return leaf.is_server && ca_.key != nullptr ? MissingName(certificate) : std::nullopt;
}

absl::Status Maker::MakeLeaf(const Leaf& leaf) {
  if (ca_.key == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make ", leaf.file_name, ".crt: ", Path("ca.key"),
                     " is not there or not that of ca.crt; to start over, remove ca.crt"));
  }
  const std::string uri = absl::StrCat("URI:", Uri(leaf, options_.trust_domain));
  auto issued = IssueCertificate(
      {.common_name = leaf.file_name,
       .alternative_names = leaf.is_server ? absl::StrCat(absl::StrJoin(kServerNames, ","), ",", uri) : uri,
       .for_servers = leaf.is_server,
       .for_clients = leaf.is_client,
       .not_before = options_.now - kBackdate,
       .not_after = std::min(options_.now + kLeafValidity, NotAfter(*ca_.certificate))},
      &ca_);
  if (!issued.ok()) return issued.status();
  const TlsFiles files = DevTlsFiles(directory_, leaf.file_name);
  absl::Status status = WriteFileAtomically(files.key, ToPem(*issued->key), 0600);
  if (status.ok()) status = WriteFileAtomically(files.certificate, ToPem(*issued->certificate), 0644);
  return status;
}

}  // namespace

bool DevCertificateReport::changed() const {
  return std::any_of(entries.begin(), entries.end(), [](const Entry& entry) { return entry.made; });
}

absl::StatusOr<DevCertificateReport> MakeDevCertificates(const std::string& directory,
                                                         const DevCertificateOptions& options) {
  if (absl::Status status = CheckNames(options); !status.ok()) return status;
  if (absl::Status status = MakeDirectories(directory, 0700); !status.ok()) return status;
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const absl::Cleanup unlock = [fd] { close(fd); };
  if (fd < 0 || flock(fd, LOCK_EX) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(directory, ": cannot lock: ", std::strerror(errno)));
  }
  return Maker(directory, options).Run();
}

TlsFiles DevTlsFiles(const std::string& directory, const std::string& name) {
  return {.ca = absl::StrCat(directory, "/ca.crt"),
          .certificate = absl::StrCat(directory, "/", name, ".crt"),
          .key = absl::StrCat(directory, "/", name, ".key")};
}

}  // namespace kvs
