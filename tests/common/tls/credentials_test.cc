#include "common/tls/credentials.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "common/errors.h"
#include "tests/support/log_capture.h"
#include "tests/support/tls_fixture.h"

namespace kvs {
namespace {

constexpr char kClientUri[] = "URI:spiffe://kvs/client/alice";

// A CA with a server and a client of its own.
struct Pair {
  explicit Pair(const std::string& server_names = kServerNames, const std::string& client_names = kClientUri)
      : server_files(ca.Issue(dir, "server", server_names)),
        client_files(ca.Issue(dir, "client", client_names)),
        server(Load(server_files)),
        client(Load(client_files)) {}

  std::shared_ptr<grpc::Channel> Channel(const TlsTestServer& to, PeerCheck check = {}) const {
    return grpc::CreateChannel(to.Address("localhost"), client->Channel(check));
  }

  const TempDir dir;
  const TestCa ca;
  const TlsFiles server_files;
  const TlsFiles client_files;
  const std::unique_ptr<ReloadingCredentials> server;
  const std::unique_ptr<ReloadingCredentials> client;
};

bool Refused(const grpc::Status& status, const std::string& reason = "") {
  INFO(status.error_message());
  CHECK(status.error_code() == grpc::UNAVAILABLE);
  CHECK(status.error_message().find(reason) != std::string::npos);
  return status.error_code() == grpc::UNAVAILABLE && status.error_message().find(reason) != std::string::npos;
}

bool Accepted(const grpc::Status& status) {
  INFO(status.error_message());
  CHECK(status.ok());
  return status.ok();
}

TEST_CASE("both sides know each other") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  std::string serial;
  REQUIRE(Accepted(Call(pair.Channel(server), &serial)));
  CHECK(serial == pair.server->current().keys->serial_number);
  const auto identity = server.identity();
  REQUIRE(identity.ok());
  REQUIRE(identity->has_value());
  CHECK((*identity)->uri == "spiffe://kvs/client/alice");
  CHECK((*identity)->role == "client");
}

TEST_CASE("servers are reached by every address that they are for") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Accepted(Call(grpc::CreateChannel(server.Address("127.0.0.1"), pair.client->Channel({})))));
  CHECK(Accepted(Call(grpc::CreateChannel(server.Address("ipv4:127.0.0.1"), pair.client->Channel({})))));
  CHECK(Accepted(Call(grpc::CreateChannel(server.Address("dns:///localhost"), pair.client->Channel({})))));
  const TlsTestServer every(pair.server->Server(ClientAuth::kRequire), "0.0.0.0");
  CHECK(Accepted(Call(pair.Channel(every))));
}

bool HasIpv6Loopback() {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const bool has = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) close(fd);
  return has;
}

TEST_CASE("IPv6 addresses work") {
  if (!HasIpv6Loopback()) {
    WARN("this machine has no ::1");
    return;
  }
  const Pair pair;
  for (const char* host : {"[::1]", "[::]", "0.0.0.0"}) {
    INFO(host);
    const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), host);
    CHECK(Accepted(Call(grpc::CreateChannel(server.Address("[::1]"), pair.client->Channel({})))));
  }
}

TEST_CASE("a client without a certificate is refused where one is required") {
  const Pair pair;
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = pair.client->current().keys->ca_pem;
  const auto anonymous = grpc::SslCredentials(options);
  const TlsTestServer strict(pair.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Refused(Call(grpc::CreateChannel(strict.Address("localhost"), anonymous))));

  const TlsTestServer lenient(pair.server->Server(ClientAuth::kOptional), "localhost");
  REQUIRE(Accepted(Call(grpc::CreateChannel(lenient.Address("localhost"), anonymous))));
  REQUIRE(lenient.identity().ok());
  CHECK_FALSE(lenient.identity()->has_value());
}

TEST_CASE("a client of another CA is refused, optional or not") {
  const Pair pair;
  const TempDir dir;
  const TlsFiles stranger_files = TestCa().Issue(dir, "stranger", kClientUri);
  KeySet stranger = LoadKeySet(stranger_files, absl::Now()).value();
  stranger.ca_pem = pair.client->current().keys->ca_pem;  // It trusts the server.
  for (const ClientAuth client_auth : {ClientAuth::kRequire, ClientAuth::kOptional}) {
    const TlsTestServer server(pair.server->Server(client_auth), "localhost");
    CHECK(Refused(Call(grpc::CreateChannel(server.Address("localhost"), MakeChannelCredentials(stranger, {})))));
  }
}

TEST_CASE("a server of another CA is refused") {
  const Pair pair, other;
  const TlsTestServer server(other.server->Server(ClientAuth::kOptional), "localhost");
  CHECK(Refused(Call(pair.Channel(server))));
}

TEST_CASE("a client whose certificate has expired is refused") {
  const Pair pair;
  const TlsFiles files = pair.ca.Issue(pair.dir, "old",
                                       {.alternative_names = kClientUri,
                                        .for_clients = true,
                                        .not_before = absl::Now() - absl::Hours(48),
                                        .not_after = absl::Now() - absl::Hours(24)});
  const auto keys = LoadKeySet(files, absl::Now() - absl::Hours(36));
  REQUIRE(keys.ok());
  for (const ClientAuth client_auth : {ClientAuth::kRequire, ClientAuth::kOptional}) {
    const TlsTestServer server(pair.server->Server(client_auth), "localhost");
    CHECK(Refused(Call(grpc::CreateChannel(server.Address("localhost"), MakeChannelCredentials(*keys, {})))));
  }
}

TEST_CASE("a server that is for another name is refused") {
  const Pair pair("DNS:elsewhere.example,URI:spiffe://kvs/ledger/txn");
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Refused(Call(pair.Channel(server)), "the server's certificate is not for the name localhost"));
  CHECK(Accepted(Call(pair.Channel(server, {.server_name = "elsewhere.example"}))));
  CHECK(Refused(Call(pair.Channel(server, {.server_name = "nowhere.example"})), "nowhere.example"));
}

TEST_CASE("a client posing as a ledger is refused before it gets a request") {
  const Pair ledger;
  const PeerCheck check{.role = std::string(kLedgerRole)};
  const TlsTestServer good(ledger.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Accepted(Call(ledger.Channel(good, check))));

  const Pair client("DNS:localhost,URI:spiffe://kvs/client/mallory");
  const TlsTestServer posing(client.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Refused(Call(client.Channel(posing, check)),
                "the server is spiffe://kvs/client/mallory, which has the role client and not ledger"));

  const Pair other_domain("DNS:localhost,URI:spiffe://other/ledger/txn");
  const TlsTestServer foreign(other_domain.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Refused(Call(other_domain.Channel(foreign, check)), "of the trust domain other, not kvs"));

  const Pair nobody("DNS:localhost");
  const TlsTestServer nameless(nobody.server->Server(ClientAuth::kRequire), "localhost");
  CHECK(Refused(Call(nobody.Channel(nameless, check)), "the certificate has no identity"));
}

TEST_CASE("what gRPC tells about one URI, several and none") {
  const auto count = [](const TlsTestServer& server, const char* property) {
    return server.auth_context().FindPropertyValues(property).size();
  };
  const Pair one;
  const TlsTestServer one_server(one.server->Server(ClientAuth::kRequire), "localhost");
  REQUIRE(Accepted(Call(one.Channel(one_server))));
  CHECK(count(one_server, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME) == 1);
  CHECK(count(one_server, GRPC_PEER_URI_PROPERTY_NAME) == 1);

  const Pair two(kServerNames, "URI:spiffe://kvs/client/alice,URI:spiffe://kvs/writer/kvs");
  const TlsTestServer two_server(two.server->Server(ClientAuth::kRequire), "localhost");
  REQUIRE(Accepted(Call(two.Channel(two_server))));
  CHECK(count(two_server, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME) == 0);
  CHECK(count(two_server, GRPC_PEER_URI_PROPERTY_NAME) == 2);
  CHECK(Is(two_server.identity().status(), errors::kNotPermitted));

  const Pair none(kServerNames, "DNS:spiffe.example");
  const TlsTestServer none_server(none.server->Server(ClientAuth::kRequire), "localhost");
  REQUIRE(Accepted(Call(none.Channel(none_server))));
  CHECK(Is(none_server.identity().status(), errors::kNotPermitted));
}

TEST_CASE("plaintext and TLS do not meet") {
  const Pair pair;
  const TlsTestServer tls(pair.server->Server(ClientAuth::kOptional), "localhost");
  CHECK(Refused(Call(grpc::CreateChannel(tls.Address("localhost"), grpc::InsecureChannelCredentials()))));
  const TlsTestServer plaintext(grpc::InsecureServerCredentials(), "localhost");
  CHECK(Refused(Call(pair.Channel(plaintext))));
}

// Whether OpenSSL completes a handshake of exactly this version.
bool Handshake(int port, int version, const TlsFiles& files) {
  const std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);  // OpenSSL itself would refuse the old versions.
  REQUIRE(SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0") == 1);
  REQUIRE(SSL_CTX_set_min_proto_version(context.get(), version) == 1);
  REQUIRE(SSL_CTX_set_max_proto_version(context.get(), version) == 1);
  REQUIRE(SSL_CTX_use_certificate_file(context.get(), files.certificate.c_str(), SSL_FILETYPE_PEM) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) == 1);
  const unsigned char alpn[] = "\x02h2";
  SSL_CTX_set_alpn_protos(context.get(), alpn, 3);
  const BioPtr connection(BIO_new_ssl_connect(context.get()));
  BIO_set_conn_hostname(connection.get(), absl::StrCat("127.0.0.1:", port).c_str());
  const bool done = BIO_do_connect(connection.get()) == 1 && BIO_do_handshake(connection.get()) == 1;
  OpenSslError();
  return done;
}

TEST_CASE("TLS is 1.2 or 1.3") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "127.0.0.1");
  CHECK(Handshake(server.port(), TLS1_3_VERSION, pair.client_files));
  CHECK(Handshake(server.port(), TLS1_2_VERSION, pair.client_files));
  CHECK_FALSE(Handshake(server.port(), TLS1_1_VERSION, pair.client_files));
  CHECK_FALSE(Handshake(server.port(), TLS1_VERSION, pair.client_files));
}

TEST_CASE("bad files refuse to start") {
  const TempDir dir;
  const TestCa ca;
  TlsFiles files = ca.Issue(dir, "a", "");
  const auto refusal = [&] { return std::string(ReloadingCredentials::Create(files).status().message()); };
  files.key = ca.Issue(dir, "b", "").key;
  CHECK(refusal() == files.key + " does not belong to " + files.certificate);
  files =
      ca.Issue(dir, "old", {.not_before = absl::Now() - absl::Hours(48), .not_after = absl::Now() - absl::Hours(24)});
  CHECK(refusal().find(files.certificate + " expired on ") == 0);
}

TEST_CASE("after a reload new handshakes use the new certificate") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  const auto old_channel = pair.Channel(server);
  std::string before, after, old_connection;
  REQUIRE(Accepted(Call(old_channel, &before)));

  LogCapture log;
  pair.ca.Issue(pair.dir, "server", kServerNames);
  REQUIRE(pair.server->Reload().ok());
  CHECK(pair.server->current().generation == 2);
  REQUIRE(Accepted(Call(pair.Channel(server), &after)));
  CHECK(after != before);
  CHECK(after == pair.server->current().keys->serial_number);
  CHECK(log.Count("TLS certificate reloaded") == 1);
  CHECK(log.Count(after) == 1);

  REQUIRE(Accepted(Call(old_channel, &old_connection)));  // Connections stay.
  CHECK(old_connection == before);
  REQUIRE(pair.server->Reload().ok());
  CHECK(pair.server->current().generation == 2);
}

TEST_CASE("every port of one server reloads") {
  const Pair pair;
  const auto credentials = pair.server->Server(ClientAuth::kRequire);
  const TlsTestServer first(credentials, "localhost");
  const TlsTestServer second(credentials, "127.0.0.1");
  pair.ca.Issue(pair.dir, "server", kServerNames);
  REQUIRE(pair.server->Reload().ok());
  for (const TlsTestServer* server : {&first, &second}) {
    std::string serial;
    REQUIRE(Accepted(Call(pair.Channel(*server), &serial)));
    CHECK(serial == pair.server->current().keys->serial_number);
  }
}

TEST_CASE("a reload brings a new CA") {
  Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  const TestCa new_ca;
  new_ca.Issue(pair.dir, "server", kServerNames);
  REQUIRE(pair.server->Reload().ok());
  CHECK(Refused(Call(pair.Channel(server))));
  new_ca.Issue(pair.dir, "client", kClientUri);
  REQUIRE(pair.client->Reload().ok());
  CHECK(Accepted(Call(pair.Channel(server))));
}

TEST_CASE("a bad set is refused and the old one kept") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  const std::string serial = pair.server->current().keys->serial_number;
  const TlsFiles other = pair.ca.Issue(pair.dir, "other", kServerNames);
  const auto copy = [](const std::string& from, const std::string& to) {
    REQUIRE(WriteFileAtomically(to, ReadSmallFile(from, 1 << 20).value(), 0600).ok());
  };
  std::string reason;
  SECTION("a key of another certificate") {
    copy(other.key, pair.server_files.key);
    reason = pair.server_files.key + " does not belong to " + pair.server_files.certificate;
  }
  SECTION("an expired certificate") {
    pair.ca.Issue(pair.dir, "server",
                  {.not_before = absl::Now() - absl::Hours(48), .not_after = absl::Now() - absl::Hours(24)});
    reason = pair.server_files.certificate + " expired on ";
  }
  SECTION("half a file") {
    REQUIRE(WriteFileAtomically(pair.server_files.certificate, "-----BEGIN CERT", 0600).ok());
    reason = pair.server_files.certificate + " holds no certificate";
  }
  SECTION("a missing file") {
    std::filesystem::remove(pair.server_files.ca);
    reason = pair.server_files.ca + ": cannot open";
  }
  const absl::Status status = pair.server->Reload();
  CHECK(std::string(status.message()).find(reason) == 0);
  CHECK(pair.server->current().generation == 1);
  std::string still;
  REQUIRE(Accepted(Call(pair.Channel(server), &still)));
  CHECK(still == serial);
}

TEST_CASE("a channel that was made after a reload has a connection of its own") {
  const Pair pair;
  const TlsTestServer server(pair.server->Server(ClientAuth::kRequire), "localhost");
  const auto connect = [&] { return grpc::CreateChannel(server.Address("localhost"), pair.client->Channel({})); };
  const auto first = connect();
  REQUIRE(Accepted(Call(first)));
  const std::string before = (*server.identity())->uri;

  pair.ca.Issue(pair.dir, "client", "URI:spiffe://kvs/client/bob");
  REQUIRE(pair.client->Reload().ok());
  REQUIRE(Accepted(Call(connect())));
  CHECK((*server.identity())->uri == "spiffe://kvs/client/bob");
  REQUIRE(Accepted(Call(first)));
  CHECK((*server.identity())->uri == before);
}

// Waits for what another thread is about to do. Fails the test after 20 s.
template <typename Condition>
void Await(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!condition()) {
    if (absl::Now() > deadline) FAIL("waited for 20 s");
    std::this_thread::yield();
  }
}

// Credentials whose thread looks at the files all the time.
std::unique_ptr<ReloadingCredentials> Watch(const TlsFiles& files, std::function<absl::Time()> now = absl::Now) {
  auto credentials = ReloadingCredentials::Create(files, {.poll_interval = absl::Milliseconds(1), .now = now});
  REQUIRE(credentials.ok());
  return *std::move(credentials);
}

TEST_CASE("files are watched, and a refusal is logged once until it changes") {
  const TempDir dir;
  const TestCa ca;
  const TlsFiles files = ca.Issue(dir, "server", kServerNames);
  const std::string other_key = ReadSmallFile(ca.Issue(dir, "other", kServerNames).key, 1 << 20).value();
  LogCapture log;
  const auto credentials = Watch(files);

  REQUIRE(WriteFileAtomically(files.key, other_key, 0600).ok());
  Await([&] { return log.Count("changed TLS files refused, the old ones stay in use") == 1; });
  CHECK(log.Count("server.key does not belong to ") == 1);
  REQUIRE(WriteFileAtomically(files.key, "nonsense", 0600).ok());
  Await([&] { return log.Count("server.key holds no private key") == 1; });
  CHECK(credentials->current().generation == 1);

  ca.Issue(dir, "server", kServerNames);
  Await([&] { return credentials->current().generation == 2; });
  CHECK(log.Count("server.key does not belong to ") == 1);
  CHECK(log.Count("TLS certificate reloaded") == 1);
}

TEST_CASE("a certificate that is about to expire is mentioned once, and so is one that has expired") {
  const TempDir dir;
  const TestCa ca;
  const TlsFiles files = ca.Issue(
      dir, "server", {.not_before = absl::Now() - absl::Hours(1), .not_after = absl::Now() + absl::Hours(24 * 8)});
  LogCapture log;
  std::atomic<int> hours{0};
  std::atomic<int> looks{0};
  const auto credentials = Watch(files, [&] {
    ++looks;
    return absl::Now() + absl::Hours(hours.load());
  });
  Await([&] { return looks > 3; });
  CHECK(log.Lines().empty());
  hours = 48;
  Await([&] { return log.Count("TLS certificate expires soon, renew it") == 1; });
  CHECK(log.Count(files.certificate) == 1);
  hours = 24 * 9;
  Await([&] { return log.Count("TLS certificate has expired") == 1; });
  const int seen = looks;
  Await([&] { return looks > seen + 3; });
  CHECK(log.Count(files.certificate) == 2);
}

}  // namespace
}  // namespace kvs
