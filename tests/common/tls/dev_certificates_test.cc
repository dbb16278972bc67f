#include "common/tls/dev_certificates.h"

#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/support/tls_fixture.h"

namespace kvs {
namespace {

const absl::Time kNow = absl::Now();
constexpr absl::Duration kDay = absl::Hours(24);

// A directory of certificates.
struct Certificates {
  DevCertificateReport Make(DevCertificateOptions options = {}) {
    auto report = MakeDevCertificates(path, options);
    INFO(report.status());
    REQUIRE(report.ok());
    return *std::move(report);
  }
  // What would be made, as NAME: REASON.
  std::vector<std::string> Made(DevCertificateOptions options = {}) {
    std::vector<std::string> made;
    for (const auto& entry : Make(options).entries) {
      if (entry.made) made.push_back(entry.file + ": " + entry.reason);
    }
    return made;
  }
  KeySet Load(const std::string& name, absl::Time now = kNow) const {
    const auto keys = LoadKeySet(DevTlsFiles(path, name), now);
    INFO(keys.status());
    REQUIRE(keys.ok());
    return *keys;
  }
  std::vector<std::string> Uris(const std::string& name) const {
    return UriNames(*ParseCertificates(Load(name).certificate_pem)->front());
  }
  mode_t Mode(const std::string& name) const {
    struct stat info{};
    REQUIRE(stat((path + "/" + name).c_str(), &info) == 0);
    return info.st_mode & 07777;
  }
  std::string Read(const std::string& name) const { return ReadSmallFile(path + "/" + name, 1 << 20).value(); }
  void Write(const std::string& name, absl::string_view contents) const {
    REQUIRE(WriteFileAtomically(path + "/" + name, contents, 0600).ok());
  }

  // Puts a certificate there that the CA of the directory signed.
  void Issue(const std::string& name, CertificateRequest request) const {
    const IssuedCertificate ca{ParsePrivateKey(Read("ca.key")).value(),
                               std::move(ParseCertificates(Read("ca.crt")).value().front())};
    request.common_name = name;
    request.not_before = kNow - absl::Hours(1);
    request.not_after = kNow + 300 * kDay;
    const auto issued = IssueCertificate(request, &ca);
    REQUIRE(issued.ok());
    Write(name + ".crt", ToPem(*issued->certificate));
    Write(name + ".key", ToPem(*issued->key));
  }

  const TempDir dir;
  const std::string path = dir / "below/certs";
};

TEST_CASE("a full set is made once") {
  Certificates certificates;
  const auto report = certificates.Make({.client_name = "alice"});
  CHECK(report.changed());
  REQUIRE(report.entries.size() == 4);
  CHECK(report.entries[0].file == "ca.crt");
  CHECK(report.entries[1].file == "kvs.crt");
  CHECK(report.entries[2].file == "txn.crt");
  CHECK(report.entries[3].file == "client.crt");
  CHECK(certificates.Uris("kvs") == std::vector<std::string>{"spiffe://kvs/writer/kvs"});
  CHECK(certificates.Uris("txn") == std::vector<std::string>{"spiffe://kvs/ledger/txn"});
  CHECK(certificates.Uris("client") == std::vector<std::string>{"spiffe://kvs/client/alice"});

  const std::string kvs = certificates.Read("kvs.crt");
  const auto again = certificates.Make({.client_name = "alice"});
  CHECK_FALSE(again.changed());
  CHECK(again.entries.size() == 4);
  CHECK(certificates.Read("kvs.crt") == kvs);
}

TEST_CASE("keys and the directory are private, and nothing else is left") {
  Certificates certificates;
  certificates.Make();
  CHECK(certificates.Mode("") == 0700);
  for (const char* name : {"ca", "kvs", "txn", "client"}) {
    CHECK(certificates.Mode(std::string(name) + ".key") == 0600);
    CHECK(certificates.Mode(std::string(name) + ".crt") == 0644);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(certificates.path), {}) == 8);
}

TEST_CASE("servers are for every name of the pair, clients for none") {
  Certificates certificates;
  certificates.Make();
  for (const char* host : {"localhost", "kvs", "txn", "127.0.0.1", "::1"}) {
    INFO(host);
    CHECK(IsForHost(*ParseCertificates(certificates.Read("kvs.crt"))->front(), host));
    CHECK(IsForHost(*ParseCertificates(certificates.Read("txn.crt"))->front(), host));
    CHECK_FALSE(IsForHost(*ParseCertificates(certificates.Read("client.crt"))->front(), host));
  }
}

TEST_CASE("validity is ten years for the CA and one for the rest, from an hour ago") {
  Certificates certificates;
  certificates.Make({.now = kNow});
  const auto ca = ParseCertificates(certificates.Read("ca.crt"));
  const auto kvs = ParseCertificates(certificates.Read("kvs.crt"));
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(kNow));
  CHECK(NotBefore(*ca->front()) == second - absl::Hours(1));
  CHECK(NotAfter(*ca->front()) == second + 3650 * kDay);
  CHECK(NotBefore(*kvs->front()) == second - absl::Hours(1));
  CHECK(NotAfter(*kvs->front()) == second + 365 * kDay);
  CHECK(X509_check_purpose(kvs->front().get(), X509_PURPOSE_SSL_SERVER, 0) == 1);
  CHECK(X509_check_purpose(kvs->front().get(), X509_PURPOSE_SSL_CLIENT, 0) == 1);
  CHECK(X509_check_purpose(ca->front().get(), X509_PURPOSE_SSL_SERVER, 1) == 1);
}

TEST_CASE("leaves are renewed by the same CA 30 days before their end") {
  Certificates certificates;
  certificates.Make({.now = kNow});
  const std::string ca = certificates.Read("ca.crt");
  CHECK(certificates.Made({.now = kNow + 334 * kDay}).empty());
  CHECK(certificates.Made({.now = kNow + 336 * kDay}) ==
        std::vector<std::string>{"kvs.crt: the old one was about to expire", "txn.crt: the old one was about to expire",
                                 "client.crt: the old one was about to expire"});
  CHECK(certificates.Read("ca.crt") == ca);
  certificates.Load("kvs", kNow + 600 * kDay);
}

TEST_CASE("a CA about to expire takes everything with it") {
  Certificates certificates;
  certificates.Make({.now = kNow});
  certificates.Make({.now = kNow + 3600 * kDay});
  CHECK(NotAfter(*ParseCertificates(certificates.Read("kvs.crt"))->front()) ==
        NotAfter(*ParseCertificates(certificates.Read("ca.crt"))->front()));
  CHECK(certificates.Made({.now = kNow + 3625 * kDay}).size() == 4);
  certificates.Load("txn", kNow + 3900 * kDay);
}

TEST_CASE("what is damaged, mismatched or missing is made anew, the rest stays") {
  Certificates certificates;
  certificates.Make();
  const std::string txn = certificates.Read("txn.crt");
  SECTION("a certificate") { certificates.Write("kvs.crt", "damaged"); }
  SECTION("a key") { certificates.Write("kvs.key", "damaged"); }
  SECTION("a key of another") { certificates.Write("kvs.key", certificates.Read("client.key")); }
  SECTION("a missing key") { std::filesystem::remove(certificates.path + "/kvs.key"); }
  SECTION("a missing certificate") { std::filesystem::remove(certificates.path + "/kvs.crt"); }
  SECTION("another identity") {
    certificates.Write("kvs.crt", certificates.Read("client.crt"));
    certificates.Write("kvs.key", certificates.Read("client.key"));
  }
  const auto made = certificates.Made();
  REQUIRE(made.size() == 1);
  CHECK(made[0].find("kvs.crt: ") == 0);
  CHECK(certificates.Read("txn.crt") == txn);
  CHECK(certificates.Uris("kvs") == std::vector<std::string>{"spiffe://kvs/writer/kvs"});
}

// All but the identity of the certificates of servers.
constexpr char kPairNames[] = "DNS:localhost,DNS:kvs,DNS:txn,IP:127.0.0.1,IP:::1";

TEST_CASE("what is not good for its use is made anew") {
  Certificates certificates;
  certificates.Make();
  const std::string pair_names(kPairNames);
  const std::string txn_names = pair_names + ",URI:spiffe://kvs/ledger/txn";
  const std::string kvs_names = pair_names + ",URI:spiffe://kvs/writer/kvs";
  std::string file;
  SECTION("txn.crt is only for clients") {
    certificates.Issue("txn", {.alternative_names = txn_names, .for_clients = true});
    file = "txn.crt";
  }
  SECTION("kvs.crt is only for servers") {
    certificates.Issue("kvs", {.alternative_names = kvs_names, .for_servers = true});
    file = "kvs.crt";
  }
  SECTION("client.crt is only for servers") {
    certificates.Issue("client", {.alternative_names = "URI:spiffe://kvs/client/dev", .for_servers = true});
    file = "client.crt";
  }
  const auto made = certificates.Made();
  REQUIRE(made.size() == 1);
  CHECK_THAT(made[0], ContainsText(file + ": "));
  CHECK_THAT(made[0], ContainsText(" is not a certificate for "));
  CHECK(certificates.Made().empty());
}

TEST_CASE("a certificate of a server is for every name of the pair, or made anew") {
  Certificates certificates;
  certificates.Make();
  certificates.Issue("txn", {.alternative_names = "DNS:foo,URI:spiffe://kvs/ledger/txn", .for_servers = true});
  SECTION("with the key of the CA") {
    CHECK(certificates.Made() == std::vector<std::string>{"txn.crt: the old one was not for localhost"});
    CHECK(certificates.Made().empty());
  }
  SECTION("but where none can be made, its owner knows better") {
    std::filesystem::remove(certificates.path + "/ca.key");
    CHECK(certificates.Made().empty());
  }
  SECTION("more names do no harm") {
    certificates.Issue("txn", {.alternative_names = std::string(kPairNames) + ",DNS:foo,URI:spiffe://kvs/ledger/txn",
                               .for_servers = true});
    CHECK(certificates.Made().empty());
  }
}

TEST_CASE("a name that cannot be an identity is refused before anything is made") {
  const Certificates certificates;
  CHECK(absl::IsInvalidArgument(MakeDevCertificates(certificates.path, {.client_name = "a b/c"}).status()));
  CHECK(absl::IsInvalidArgument(MakeDevCertificates(certificates.path, {.clients = {".."}}).status()));
  CHECK_FALSE(std::filesystem::exists(certificates.path));
}

TEST_CASE("a damaged CA is made anew with everything") {
  Certificates certificates;
  certificates.Make();
  certificates.Write("ca.crt", "damaged");
  CHECK(certificates.Made().size() == 4);
  certificates.Load("client");
}

TEST_CASE("a CA without its key is kept as long as nothing has to be made") {
  Certificates certificates;
  certificates.Make();
  const std::string ca = certificates.Read("ca.crt");
  SECTION("missing") { std::filesystem::remove(certificates.path + "/ca.key"); }
  SECTION("of another") { certificates.Write("ca.key", certificates.Read("kvs.key")); }
  CHECK(certificates.Made().empty());
  std::filesystem::remove(certificates.path + "/kvs.crt");
  const auto report = MakeDevCertificates(certificates.path);
  CHECK(report.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(report.status().message()).find("remove ca.crt") != std::string::npos);
  CHECK(certificates.Read("ca.crt") == ca);
}

TEST_CASE("more clients, by name") {
  Certificates certificates;
  certificates.Make();
  CHECK(certificates.Made({.clients = {"bob", "ci-1"}}) ==
        std::vector<std::string>{"client-bob.crt: there was none", "client-ci-1.crt: there was none"});
  CHECK(certificates.Uris("client-bob") == std::vector<std::string>{"spiffe://kvs/client/bob"});
  CHECK(certificates.Made({.clients = {"bob"}}).empty());
  CHECK_FALSE(MakeDevCertificates(certificates.path, {.clients = {"../bob"}}).ok());
  CHECK_FALSE(MakeDevCertificates(certificates.path, {.clients = {""}}).ok());
}

TEST_CASE("a client keeps its name unless another is asked for") {
  Certificates certificates;
  certificates.Make({.client_name = "alice"});
  CHECK(certificates.Made().empty());
  CHECK(certificates.Made({.client_name = "bob"}) ==
        std::vector<std::string>{"client.crt: the old one was of spiffe://kvs/client/alice"});
}

TEST_CASE("another trust domain renews the leaves") {
  Certificates certificates;
  certificates.Make();
  CHECK(certificates.Made({.trust_domain = "prod"}).size() == 3);
  CHECK(certificates.Uris("kvs") == std::vector<std::string>{"spiffe://prod/writer/kvs"});
  CHECK_FALSE(MakeDevCertificates(certificates.path, {.trust_domain = "Not One"}).ok());
}

TEST_CASE("callers at the same time make one set") {
  Certificates certificates;
  std::atomic<int> changed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto report = MakeDevCertificates(certificates.path);
      if (report.ok() && report->changed()) ++changed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(changed == 1);
  CHECK(certificates.Made().empty());
}

}  // namespace
}  // namespace kvs
