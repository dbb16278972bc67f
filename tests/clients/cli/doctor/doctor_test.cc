// Each finding of `kvs doctor` with a server that really has the trouble.
#include "clients/cli/doctor/doctor.h"

#include <absl/strings/match.h>
#include <sys/socket.h>

#include <fstream>
#include <thread>

#include "tests/clients/support/cli.h"
#include "tests/clients/support/free_port.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"
#include "tests/support/pair.h"
#include "tests/support/tls_fixture.h"

namespace kvs::cli {
namespace {

constexpr char kClientNames[] = "URI:spiffe://kvs/client/alice";

// `kvs doctor` with these flags, from a folder where nothing sets anything.
CommandResult Doctor(std::vector<std::string> flags) {
  const TestCli kvs;
  flags.insert(flags.begin(), "doctor");
  return kvs(flags);
}

CommandResult PlaintextDoctor(const std::string& address) { return Doctor({"--address", address, "--plaintext"}); }

// Something that accepts connections and greets each with a text, as mail servers do.
class Greeter {
 public:
  explicit Greeter(std::string greeting) : greeting_(std::move(greeting)), thread_([this] { Serve(); }) {}
  ~Greeter() {
    shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port()); }

 private:
  void Serve() {
    for (;;) {
      const int fd = accept(listener_.fd(), nullptr, nullptr);
      if (fd < 0) return;
      send(fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
      shutdown(fd, SHUT_WR);
      char ignored[4096];
      while (recv(fd, ignored, sizeof(ignored), 0) > 0) {
      }
      close(fd);
    }
  }

  Listener listener_;
  const std::string greeting_;
  std::thread thread_;
};

// A server with TLS, and the files that its clients need.
class TlsServer {
 public:
  explicit TlsServer(const std::string& names = "DNS:localhost,IP:127.0.0.1",
                     ClientAuth client_auth = ClientAuth::kOptional)
      : files_(ca_.Issue(dir_, "server", names)),
        client_(ca_.Issue(dir_, "client", kClientNames)),
        credentials_(Load(files_)),
        server_(credentials_->Server(client_auth)) {
    server_.SetStatus(Serving());
  }

  static v1::MaintenanceStatusResponse Serving() {
    v1::MaintenanceStatusResponse status;
    status.set_version("0.1.0");
    status.set_state(v1::SERVER_STATE_SERVING);
    status.mutable_ledger()->set_state(v1::LEDGER_STATE_CONNECTED);
    status.mutable_ledger()->set_address("localhost:5051");
    return status;
  }

  const TestCa& ca() const { return ca_; }
  const TempDir& dir() const { return dir_; }
  std::string address() const { return server_.address(); }
  const TlsFiles& client() const { return client_; }

  CommandResult Doctor(const TlsFiles& files) const {
    return cli::Doctor({"--address", address(), "--ca", files.ca, "--cert", files.certificate, "--key", files.key});
  }
  CommandResult AnonymousDoctor() const { return cli::Doctor({"--address", address(), "--ca", client_.ca}); }

 private:
  TempDir dir_;
  TestCa ca_;
  TlsFiles files_;
  TlsFiles client_;
  std::unique_ptr<ReloadingCredentials> credentials_;
  ScriptedServer server_;
};

// A line of the report: verdict, step, and something of what it says.
void CheckLine(const CommandResult& result, const std::string& verdict_and_step, const std::string& detail) {
  INFO(result.out);
  const size_t start = result.out.find(verdict_and_step + "  ");
  REQUIRE(start != std::string::npos);
  CHECK_THAT(result.out.substr(start, result.out.find('\n', start) - start), ContainsText(detail));
}

void CheckFailure(const CommandResult& result, int status, const std::string& step, const std::string& detail,
                  const std::string& remedy) {
  INFO(result.out);
  CHECK(result.status == status);
  CheckLine(result, "FAILED   " + step, detail);
  const size_t next = result.out.rfind("next: ");
  REQUIRE(next != std::string::npos);
  CHECK_THAT(result.out.substr(next), ContainsText(remedy));
}

TEST_CASE("doctor: all is well") {
  const TlsServer server;
  const CommandResult result = server.Doctor(server.client());
  INFO(result.out);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  CheckLine(result, "ok       settings", server.address() + " (--address)");
  CheckLine(result, "warning  files", "spiffe://kvs/client/alice");  // the test's certificates live for a day
  CheckLine(result, "ok       name", "127.0.0.1");
  CheckLine(result, "ok       connection", "accepts connections");
  CheckLine(result, "ok       protocol", "TLS");
  CheckLine(result, "ok       chain", "signed by CN=test CA");
  CheckLine(result, "ok       server name", "localhost is one of localhost, 127.0.0.1");
  CheckLine(result, "ok       client name", "takes the client's certificate");
  CheckLine(result, "ok       health", "SERVING");
  CheckLine(result, "ok       server", "kvs_server 0.1.0, serving");
  CheckLine(result, "ok       ledger", "connected, localhost:5051");
  CheckLine(result, "ok       caller", "anonymous");
}

TEST_CASE("doctor: a real pair is well") {
  Pair pair;
  pair.Start();
  const CommandResult result = PlaintextDoctor("127.0.0.1:" + std::to_string(pair.kvs().port()));
  INFO(result.out);
  CHECK(result.status == 0);
}

TEST_CASE("doctor: settings that cannot be used") {
  CheckFailure(Doctor({"--address", "host:port"}), 2, "settings", "\"host:port\"", "looked at: flags: --address");
  CheckFailure(Doctor({"--timeout", "soon"}), 2, "settings", "\"soon\"", "looked at: ");
}

TEST_CASE("doctor: files that cannot be used") {
  const TempDir dir;
  const TestCa ca;
  const TlsFiles good = ca.Issue(dir, "good", kClientNames);
  const TlsFiles other = ca.Issue(dir, "other", kClientNames);
  const TlsFiles expired = ca.Issue(dir, "expired",
                                    {.alternative_names = kClientNames,
                                     .for_clients = true,
                                     .not_before = absl::Now() - absl::Hours(48),
                                     .not_after = absl::Now() - absl::Hours(24)});
  const auto doctor = [](const std::string& ca_file, const std::string& certificate, const std::string& key) {
    return Doctor({"--ca", ca_file, "--cert", certificate, "--key", key});
  };
  CheckFailure(doctor(dir / "absent", good.certificate, good.key), 2, "files", "absent", "--ca");
  CheckFailure(doctor(good.ca, good.key, good.key), 2, "files", "no certificate", "--cert");
  CheckFailure(doctor(good.ca, good.certificate, good.certificate), 2, "files", "no private key", "--key");
  CheckFailure(doctor(good.ca, good.certificate, other.key), 2, "files", "do not belong together", "one pair");
  CheckFailure(doctor(good.ca, expired.certificate, expired.key), 2, "files", "expired on", "renew");
}

TEST_CASE("doctor: the name is not known") {
  CheckFailure(PlaintextDoctor("nobody.invalid"), 3, "name", "nobody.invalid", "correct the address");
}

TEST_CASE("doctor: nothing listens") {
  CheckFailure(PlaintextDoctor("127.0.0.1:" + std::to_string(FreePort())), 3, "connection", "Connection refused",
               "make run");
}

TEST_CASE("doctor: plaintext on the server, TLS asked for") {
  const ScriptedServer server;
  CheckFailure(Doctor({"--address", server.address()}), 3, "protocol", "speaks plaintext, but TLS is asked for",
               "--plaintext");
}

TEST_CASE("doctor: TLS on the server, plaintext asked for") {
  for (const ClientAuth client_auth : {ClientAuth::kOptional, ClientAuth::kRequire}) {
    const TlsServer server("DNS:localhost", client_auth);
    CheckFailure(PlaintextDoctor(server.address()), 3, "protocol", "speaks TLS, but plaintext is asked for",
                 "leave out plaintext (it comes from --plaintext)");
  }
}

TEST_CASE("doctor: something else listens") {
  for (const std::string greeting : {"220 mail.example.com ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
    INFO(greeting);
    const Greeter greeter(greeting);
    CheckFailure(PlaintextDoctor(greeter.address()), 3, "protocol", "no kvs_server", "correct the address");
    CheckFailure(Doctor({"--address", greeter.address()}), 3, "protocol", "no kvs_server", "correct the address");
  }
}

TEST_CASE("doctor: something that never answers") {
  const Listener listener;
  const std::string address = "127.0.0.1:" + std::to_string(listener.port());
  CheckFailure(Doctor({"--address", address, "--timeout", "200ms"}), 3, "protocol", "no kvs_server", "address");
  CheckFailure(Doctor({"--address", address, "--plaintext", "--timeout", "200ms"}), 3, "protocol", "no kvs_server",
               "address");
}

TEST_CASE("doctor: the server's certificate is of another authority") {
  const TlsServer server;
  const TlsServer other;
  CheckFailure(server.Doctor(other.client()), 3, "chain", "not the authority in use", "--ca");
  CheckFailure(Doctor({"--address", server.address()}), 3, "chain", "the authorities of this system", "--ca");
}

TEST_CASE("doctor: the server's certificate is for another name") {
  const TlsServer server("DNS:kvs.example.com");
  CheckFailure(server.AnonymousDoctor(), 3, "server name", "is for kvs.example.com, not for localhost",
               "connect to one of these names");
}

TEST_CASE("doctor: the server's certificate has expired") {
  const TempDir dir;
  const TestCa ca;
  const TlsFiles files = ca.Issue(dir, "server",
                                  {.alternative_names = "DNS:localhost",
                                   .for_servers = true,
                                   .not_before = absl::Now() - absl::Hours(48),
                                   .not_after = absl::Now() - absl::Hours(24)});
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({*ReadSmallFile(files.key, kMiB), *ReadSmallFile(files.certificate, kMiB)});
  const ScriptedServer server(grpc::SslServerCredentials(options));
  CheckFailure(Doctor({"--address", server.address(), "--ca", files.ca}), 3, "chain", "expired on",
               "renew the server's certificate");
}

TEST_CASE("doctor: a client certificate is demanded") {
  const TlsServer server("DNS:localhost", ClientAuth::kRequire);
  CheckFailure(server.AnonymousDoctor(), 3, "client name", "without a client certificate", "--cert and --key");
  CHECK(server.Doctor(server.client()).status == 0);
}

TEST_CASE("doctor: the client certificate is of another authority") {
  const TlsServer server("DNS:localhost", ClientAuth::kRequire);
  const TempDir dir;
  TlsFiles foreign = TestCa().Issue(dir, "client", kClientNames);
  foreign.ca = server.client().ca;
  CheckFailure(server.Doctor(foreign), 3, "client name", "does not take the client's certificate", foreign.certificate);
}

TEST_CASE("doctor: the client certificate names no identity that the server knows") {
  const TempDir dir;
  const TestCa ca;
  Pair pair;
  pair.kvs_config().has_ledger = false;
  pair.kvs_config().insecure = false;
  pair.kvs_config().tls = ca.Issue(dir, "kvs", "DNS:localhost,URI:spiffe://kvs/writer/kvs");
  pair.StartKvs();
  const auto doctor = [&](const std::string& names) {
    const TlsFiles files = ca.Issue(dir, "client", names);
    return Doctor({"--address", "localhost:" + std::to_string(pair.kvs().port()), "--ca", files.ca, "--cert",
                   files.certificate, "--key", files.key});
  };
  CHECK(doctor(kClientNames).status == 0);
  const std::string remedy = "give --cert a certificate with exactly one URI, spiffe://TRUST_DOMAIN/client/NAME";
  CheckFailure(doctor("URI:foo://bar"), 1, "caller", "is not of the form", remedy);
  CheckFailure(doctor("URI:spiffe://kvs/client/a,URI:spiffe://kvs/client/b"), 1, "caller", "has 2 URIs", remedy);
  CheckFailure(doctor("URI:spiffe://other/client/a"), 1, "caller", "of the trust domain other, not kvs", remedy);
  CheckFailure(doctor(""), 1, "caller", "has no identity", remedy);
}

TEST_CASE("doctor: anonymous where certificates are optional") {
  const TlsServer server;
  const CommandResult result = server.AnonymousDoctor();
  CHECK(result.status == 0);
  CheckLine(result, "ok       client name", "does not insist");
}

TEST_CASE("doctor: this is the ledger") {
  Pair pair;
  pair.Start();
  CheckFailure(PlaintextDoctor("127.0.0.1:" + std::to_string(pair.ledger().port())), 1, "server", "this is txn_server",
               "kvs_server, usually port 5050");
}

TEST_CASE("doctor: another gRPC server") {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  v1::IntStore::Service service;
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const CommandResult result = PlaintextDoctor("127.0.0.1:" + std::to_string(port));
  CheckLine(result, "FAILED   health", "does not tell its health");
  CheckFailure(result, 1, "server", "not kvs_server", "correct the address");
}

TEST_CASE("doctor: the server is not ready") {
  ScriptedServer server;
  server.SetHealth("", grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  auto status = TlsServer::Serving();

  status.set_state(v1::SERVER_STATE_REPLAYING);
  status.mutable_replay()->set_revision(120);
  status.mutable_replay()->set_last_revision(480);
  server.SetStatus(status);
  const CommandResult replaying = PlaintextDoctor(server.address());
  CheckLine(replaying, "FAILED   health", "NOT_SERVING");
  CheckFailure(replaying, 1, "server", "replaying, revision 120 of 480, 25%", "wait");

  status.set_state(v1::SERVER_STATE_WAITING_FOR_LEDGER);
  status.mutable_ledger()->set_detail("connection refused");
  server.SetStatus(status);
  CheckFailure(PlaintextDoctor(server.address()), 1, "server",
               "waiting for ledger at localhost:5051: connection refused", "start txn_server");

  status.set_state(v1::SERVER_STATE_DRAINING);
  server.SetStatus(status);
  CheckFailure(PlaintextDoctor(server.address()), 1, "server", "draining", "stopping");
}

TEST_CASE("doctor: a server that waits for its ledger") {
  Pair pair;
  pair.kvs_config().ledger = {"127.0.0.1", static_cast<uint16_t>(FreePort())};
  pair.StartKvs();
  CheckFailure(PlaintextDoctor("127.0.0.1:" + std::to_string(pair.kvs().port())), 1, "server", "waiting for ledger",
               "start txn_server");
}

TEST_CASE("doctor: a server that waits for space in its ledger") {
  Pair pair;
  pair.storage().SetBeforeBeginEpoch(
      [] { return Error(errors::kNoSpace, "cannot write /data/0000000002.log: No space left on device"); });
  pair.StartLedger();
  pair.StartKvs();
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  CommandResult result;
  do {
    result = PlaintextDoctor("127.0.0.1:" + std::to_string(pair.kvs().port()));
  } while (!absl::StrContains(result.out, "No space left") && absl::Now() < deadline);
  CheckFailure(result, 1, "server", "cannot write /data/0000000002.log: No space left on device",
               "Nothing that was acknowledged is lost; kvs_server goes on by itself, and answers nothing until then; "
               "docs/operations.md, When the disk is full");
}

TEST_CASE("doctor: the ledger is away") {
  Pair pair;
  pair.Start();
  pair.StopLedger();
  pair.AwaitNotWritable();
  const CommandResult result = PlaintextDoctor("127.0.0.1:" + std::to_string(pair.kvs().port()));
  INFO(result.out);
  CHECK(result.status == 1);
  CHECK_THAT(result.out, ContainsText(" ledger       "));
}

TEST_CASE("doctor: a server without a ledger is in order, and what that means is told") {
  Pair pair;
  pair.kvs_config().has_ledger = false;
  pair.StartKvs();
  const CommandResult result = PlaintextDoctor("127.0.0.1:" + std::to_string(pair.kvs().port()));
  INFO(result.out);
  CHECK(result.status == 0);
  CHECK_THAT(result.out, ContainsText("none: nothing is persisted: everything is forgotten when the server stops"));
}

TEST_CASE("doctor: every state of the ledger has its remedy") {
  const std::pair<v1::LedgerState, std::string> cases[] = {
      {v1::LEDGER_STATE_AWAY, "start txn_server"},
      {v1::LEDGER_STATE_READ_ONLY,
       "the disk is full that has the data directory of txn_server at localhost:5051, or its PostgreSQL: make room "
       "there. Nothing that was acknowledged is lost; values are read, and changes go on by themselves; "
       "docs/operations.md, When the disk is full"},
      {v1::LEDGER_STATE_FENCED, "another kvs_server has taken over"},
      {v1::LEDGER_STATE_DATA_LOSS, "do not stop this kvs_server"},
      {v1::LEDGER_STATE_REFUSED, "the log of txn_server tells"},
      {static_cast<v1::LedgerState>(77), "newer than this program"},
  };
  for (const auto& [state, remedy] : cases) {
    ScriptedServer server;
    auto status = TlsServer::Serving();
    status.mutable_ledger()->set_state(state);
    status.mutable_ledger()->set_detail("why");
    server.SetStatus(status);
    const CommandResult result = PlaintextDoctor(server.address());
    CheckFailure(result, 1, "ledger", "localhost:5051: why", remedy);
  }
}

TEST_CASE("doctor as JSON: one object for each step") {
  const CommandResult result =
      Doctor({"--address", "127.0.0.1:" + std::to_string(FreePort()), "--plaintext", "--output", "json"});
  CHECK(result.status == 3);
  CHECK_THAT(result.out, ContainsText("{\"step\":\"settings\",\"ok\":true,\"detail\":\"address 127.0.0.1:"));
  CHECK_THAT(result.out, ContainsText("{\"step\":\"connection\",\"ok\":false,"));
}

}  // namespace
}  // namespace kvs::cli
