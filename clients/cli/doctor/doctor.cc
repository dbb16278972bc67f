#include "clients/cli/doctor/doctor.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "clients/cli/doctor/certificate.h"
#include "clients/cli/doctor/probe.h"
#include "clients/cli/health.h"
#include "clients/cli/server_text.h"
#include "clients/cpp/client.h"
#include "common/errors.h"
#include "common/tls/certificate.h"

namespace kvs::cli {
namespace {

constexpr absl::string_view kStart =
    "start the pair with `make run`; kvs_server listens at port 5050, txn_server at 5051";

constexpr absl::string_view kIdentity =
    "give --cert a certificate with exactly one URI, spiffe://TRUST_DOMAIN/client/NAME, where TRUST_DOMAIN is the "
    "--trust-domain of kvs_server, which is kvs where none is set";

// A certificate that ends within this time is worth a warning.
constexpr absl::Duration kNearExpiry = absl::Hours(24 * 14);

// What to do where the ledger has no space, and how kvs_server goes on until then.
std::string MakeRoom(const v1::LedgerStatus& ledger, absl::string_view meanwhile) {
  return absl::StrCat("the disk is full that has the data directory of txn_server at ", ledger.address(),
                      ", or its PostgreSQL: make room there. Nothing that was acknowledged is lost; ", meanwhile,
                      "; docs/operations.md, When the disk is full");
}

std::string Quoted(const std::vector<std::string>& names) { return absl::StrJoin(names, ", "); }

class Examination {
 public:
  Examination(const Settings& settings, absl::FunctionRef<void(const Finding&)> report)
      : settings_(settings), report_(report) {}

  Health Run() {
    if (!Settings_() || !Files()) return Health::kUnusableSettings;
    if (!Name() || !Connection()) return Health::kUnreachable;
    if (options_.plaintext ? !Plaintext() : !(Tls() && Chain() && ServerName() && ClientCertificate())) {
      return Health::kUnreachable;
    }
    return Server();
  }

 private:
  bool Ok(absl::string_view step, absl::string_view detail) {
    report_({step, Verdict::kOk, std::string(detail), ""});
    return true;
  }

  bool Warn(absl::string_view step, absl::string_view detail, absl::string_view remedy) {
    report_({step, Verdict::kWarning, std::string(detail), std::string(remedy)});
    return true;
  }

  bool Fail(absl::string_view step, absl::string_view detail, absl::string_view remedy) {
    report_({step, Verdict::kFailure, std::string(detail), std::string(remedy)});
    is_well_ = false;
    return false;
  }

  bool Settings_();
  bool Files();
  bool ClientFiles();
  bool Name();
  bool Connection();
  bool Plaintext();
  bool Tls();
  bool Chain();
  bool ServerName();
  bool ClientCertificate();
  bool NotTls(const TlsAnswer& answer);
  TlsAnswer Handshake(bool with_certificate) const;

  Health Server();
  bool ServerHealth(const client::Client& client);
  bool ServerStatus(const client::Client& client);
  bool Ledger(const v1::LedgerStatus& ledger);
  bool Caller(const client::Client& client);
  bool NotAKvsServer(const client::Client& client);

  std::string From(const Setting& setting) const { return absl::StrCat(setting.value, " (", setting.source, ")"); }

  const Settings& settings_;
  const absl::FunctionRef<void(const Finding&)> report_;
  bool is_well_ = true;
  client::Options options_;
  Address address_;
  absl::Duration timeout_;
  X509StorePtr authorities_;
  std::vector<Endpoint> endpoints_;
  Endpoint endpoint_;  // the one that accepts connections
  TlsAnswer anonymous_;
};

bool Examination::Settings_() {
  const std::string places = absl::StrCat("looked at: ", absl::StrJoin(settings_.places, "; "));
  const auto options = ClientOptions(settings_);
  if (!options.ok()) return Fail("settings", options.status().message(), places);
  options_ = *options;
  options_.fail_fast = true;
  timeout_ = std::min(options_.timeout, absl::Seconds(5));
  const auto address = client::ServerAddress(options_.address);
  if (!address.ok()) {
    return Fail("settings", absl::StrCat(address.status().message(), " (", settings_.address.source, ")"), places);
  }
  address_ = *address;
  Ok("settings", absl::StrCat("address ", From(settings_.address)));
  if (options_.plaintext) return Ok("settings", absl::StrCat("plaintext (", settings_.plaintext.source, ")"));
  Ok("settings",
     options_.ca.empty() ? "ca: the authorities that this system trusts" : absl::StrCat("ca ", From(settings_.ca)));
  return Ok("settings", options_.certificate.empty() ? "cert: none, so the server sees no name"
                                                     : absl::StrCat("cert ", From(settings_.cert)));
}

bool Examination::Files() {
  if (options_.plaintext) return true;
  auto authorities = ReadAuthorities(options_.ca);
  if (!authorities.ok()) {
    return Fail("files", authorities.status().message(), "give --ca the certificate of the authority, in PEM form");
  }
  authorities_ = *std::move(authorities);
  return options_.certificate.empty() || ClientFiles();
}

bool Examination::ClientFiles() {
  constexpr absl::string_view kRenew = "renew it: `kvs certs init` and `make run` make new development certificates";
  const auto certificates = ReadCertificates(options_.certificate);
  if (!certificates.ok())
    return Fail("files", certificates.status().message(), "give --cert a certificate in PEM form");
  const auto key = ReadPrivateKey(options_.key);
  if (!key.ok()) return Fail("files", key.status().message(), "give --key the key of --cert in PEM form");
  const X509& certificate = *certificates->front();
  if (X509_check_private_key(&certificate, key->get()) != 1) {
    return Fail("files",
                absl::StrCat("the certificate ", From(settings_.cert), " and the key ", From(settings_.key),
                             " do not belong together"),
                "give --cert and --key of one pair");
  }
  const absl::Time now = absl::Now();
  const absl::Status valid = CheckValidity(certificate, now);
  if (!valid.ok()) return Fail("files", absl::StrCat("the client's certificate: ", valid.message()), kRenew);
  const std::string detail = absl::StrCat("the client's certificate names ", Quoted(NamesOf(certificate)),
                                          " and is valid until ", FormatDay(NotAfter(certificate)));
  return NotAfter(certificate) < now + kNearExpiry ? Warn("files", detail, kRenew) : Ok("files", detail);
}

bool Examination::Name() {
  auto endpoints = Resolve(address_);
  if (!endpoints.ok()) {
    return Fail("name", absl::StrCat(address_.host, ": ", endpoints.status().message()),
                "correct the address, or the name service of this machine");
  }
  endpoints_ = *std::move(endpoints);
  std::vector<std::string> texts;
  for (const Endpoint& endpoint : endpoints_) texts.push_back(endpoint.ToString());
  return Ok("name", absl::StrCat(address_.host, " is ", Quoted(texts)));
}

bool Examination::Connection() {
  std::vector<std::string> failures;
  bool is_silent = false;
  for (const Endpoint& endpoint : endpoints_) {
    const absl::Status status = ProbeTcp(endpoint, timeout_);
    if (status.ok()) {
      endpoint_ = endpoint;
      return Ok("connection", absl::StrCat(endpoint.ToString(), " accepts connections"));
    }
    is_silent |= absl::IsDeadlineExceeded(status);
    failures.emplace_back(status.message());
  }
  return Fail("connection", absl::StrCat("nothing listens there: ", Quoted(failures)),
              is_silent ? "check the address, and whether a firewall drops the packets" : kStart);
}

bool Examination::Plaintext() {
  if (ProbePlaintext(endpoint_, timeout_) == PlaintextAnswer::kHttp2) {
    return Ok("protocol", "plaintext HTTP/2, as asked for");
  }
  if (Handshake(/*with_certificate=*/false).speaks_tls) {
    return Fail("protocol", "the server speaks TLS, but plaintext is asked for",
                absl::StrCat("leave out plaintext (it comes from ", settings_.plaintext.source,
                             "), and give --ca, --cert and --key"));
  }
  return Fail("protocol", "something listens there that speaks neither HTTP/2 nor TLS, so it is no kvs_server",
              absl::StrCat("correct the address (it comes from ", settings_.address.source, "); ", kStart));
}

TlsAnswer Examination::Handshake(bool with_certificate) const {
  TlsOptions options{.host = address_.host, .timeout = timeout_};
  if (with_certificate) {
    options.certificate_path = options_.certificate;
    options.key_path = options_.key;
  }
  return ProbeTls(endpoint_, options);
}

bool Examination::NotTls(const TlsAnswer& answer) {
  if (answer.speaks_tls) {
    return Fail("protocol", absl::StrCat("the TLS handshake failed: ", answer.problem),
                "the server's log says more; TLS 1.2 or later is needed");
  }
  if (ProbePlaintext(endpoint_, timeout_) == PlaintextAnswer::kHttp2) {
    return Fail("protocol", "the server speaks plaintext, but TLS is asked for",
                "give --plaintext (or KVS_PLAINTEXT=true), or start the server without --insecure");
  }
  return Fail("protocol",
              absl::StrCat("something listens there that speaks neither TLS nor HTTP/2, so it is no kvs_server: ",
                           answer.problem),
              absl::StrCat("correct the address (it comes from ", settings_.address.source, "); ", kStart));
}

bool Examination::Tls() {
  anonymous_ = Handshake(/*with_certificate=*/false);
  if (anonymous_.chain.empty()) return NotTls(anonymous_);
  if (anonymous_.shook_hands && !anonymous_.has_http2) {
    return Fail("protocol", "the server speaks TLS, but not HTTP/2, so it is no kvs_server",
                absl::StrCat("correct the address (it comes from ", settings_.address.source, "); ", kStart));
  }
  return Ok("protocol", "TLS");
}

bool Examination::Chain() {
  const absl::Status verified = VerifyServerChain(*authorities_, anonymous_.chain);
  const X509& certificate = *anonymous_.chain.front();
  if (verified.ok()) {
    const std::string detail = absl::StrCat("the server's certificate is signed by ", IssuerOf(certificate),
                                            " and valid until ", FormatDay(NotAfter(certificate)));
    return Ok("chain", detail);
  }
  const absl::Status valid = CheckValidity(certificate, absl::Now());
  if (!valid.ok()) {
    return Fail("chain", valid.message(), "renew the server's certificate, or set the clock of this machine");
  }
  const std::string ca = options_.ca.empty() ? "the authorities of this system" : From(settings_.ca);
  return Fail("chain", absl::StrCat("the server's certificate is not trusted: ", verified.message(), ": ", ca),
              "give --ca the certificate of the authority that signed the server's; .kvs/certs/ca.crt for `make run`");
}

bool Examination::ServerName() {
  const X509& certificate = *anonymous_.chain.front();
  const std::vector<std::string> names = NamesOf(certificate);
  if (IsForHost(certificate, address_.host)) {
    return Ok("server name", absl::StrCat(address_.host, " is one of ", Quoted(names)));
  }
  return Fail("server name",
              absl::StrCat("the server's certificate is for ", names.empty() ? "no name at all" : Quoted(names),
                           ", not for ", address_.host),
              "connect to one of these names, or give the server a certificate for this one");
}

bool Examination::ClientCertificate() {
  if (options_.certificate.empty()) {
    if (!anonymous_.is_usable) {
      return Fail("client name",
                  absl::StrCat("the server ends connections without a client certificate: ", anonymous_.problem),
                  "give --cert and --key; `make run` keeps a pair in .kvs/certs");
    }
    return Ok("client name", anonymous_.asked_for_certificate
                                 ? "no client certificate; the server would take one and does not insist"
                                 : "no client certificate, and none is asked for");
  }
  const TlsAnswer answer = Handshake(/*with_certificate=*/true);
  if (!answer.is_usable) {
    return Fail("client name", absl::StrCat("the server does not take the client's certificate: ", answer.problem),
                absl::StrCat("use a certificate that is signed by an authority in the --tls-ca of kvs_server: ",
                             From(settings_.cert), " is not"));
  }
  return Ok("client name", answer.asked_for_certificate ? "the server takes the client's certificate"
                                                        : "the server does not ask for the client's certificate");
}

Health Examination::Server() {
  const auto client = client::Client::Connect(options_);
  if (!client.ok()) {
    Fail("gRPC", client.status().message(), "");
    return Health::kUnusableSettings;
  }
  if (!ServerHealth(*client)) return Health::kUnreachable;
  if (ServerStatus(*client)) Caller(*client);
  return is_well_ ? Health::kWell : Health::kUnwell;
}

bool Examination::ServerHealth(const client::Client& client) {
  const auto health = CheckHealth(client, "", timeout_);
  // What is wrong with a server that answers is found out by the steps after this one.
  if (health.ok()) {
    const std::string text = HealthText(health->status());
    const bool is_serving = health->status() == grpc::health::v1::HealthCheckResponse::SERVING;
    if (is_serving) return Ok("health", text);
    Fail("health", text, "the next lines say why");
    return true;
  }
  if (absl::IsUnimplemented(health.status()) || absl::IsNotFound(health.status())) {
    Fail("health", "the server does not tell its health", "kvs_server does: is this one?");
    return true;
  }
  return Fail("health", absl::StrCat("the connection works, but a call does not: ", health.status().message()),
              "read the server's log");
}

bool Examination::NotAKvsServer(const client::Client& client) {
  if (CheckHealth(client, "txn.v1.Ledger", timeout_).ok()) {
    return Fail("server", absl::StrCat("this is txn_server, the ledger; clients talk to kvs_server"),
                absl::StrCat("give the address of kvs_server, usually port 5050 (this one comes from ",
                             settings_.address.source, ")"));
  }
  return Fail("server", "a gRPC server, but not kvs_server: it does not know kvs.v1.Maintenance",
              absl::StrCat("correct the address (it comes from ", settings_.address.source, "); ", kStart));
}

bool Examination::ServerStatus(const client::Client& client) {
  const auto status = client.maintenance().Status({.timeout = timeout_});
  if (absl::IsUnimplemented(status.status())) return NotAKvsServer(client);
  if (!status.ok()) return Fail("server", status.status().message(), "read the server's log");
  const std::string server = absl::StrCat("kvs_server ", status->version(), ", ", ServerStateText(status->state()));
  switch (status->state()) {
    case v1::SERVER_STATE_SERVING:
      Ok("server", server);
      return Ledger(status->ledger());
    case v1::SERVER_STATE_WAITING_FOR_LEDGER:
      return Fail("server", absl::StrCat(server, " at ", status->ledger().address(), ": ", status->ledger().detail()),
                  status->ledger().state() == v1::LEDGER_STATE_READ_ONLY
                      ? MakeRoom(status->ledger(), "kvs_server goes on by itself, and answers nothing until then")
                      : "start txn_server there, or correct the --ledger-address of kvs_server");
    case v1::SERVER_STATE_REPLAYING:
      return Fail("server", absl::StrCat(server, ", ", ReplayText(status->replay())),
                  "wait: data can be read and written when the replay is over; `kvs status` shows how far it is");
    case v1::SERVER_STATE_DRAINING:
      return Fail("server", server, "it is stopping: start it again, or wait for who does");
    default:
      return Fail("server", server, "this state is newer than this program: use the `kvs` of the server's version");
  }
}

bool Examination::Ledger(const v1::LedgerStatus& ledger) {
  const std::string detail = absl::StrCat(LedgerStateText(ledger.state()), ledger.address().empty() ? "" : ", ",
                                          ledger.address(), ledger.detail().empty() ? "" : ": ", ledger.detail());
  switch (ledger.state()) {
    case v1::LEDGER_STATE_CONNECTED:
      return Ok("ledger", absl::StrCat(detail, ", durable up to revision ", ledger.durable_revision()));
    case v1::LEDGER_STATE_RECONNECTING:
      return Fail("ledger", detail, "wait a moment and ask again");
    case v1::LEDGER_STATE_AWAY:
      return Fail("ledger", detail, "start txn_server again; until then values are read but not written");
    case v1::LEDGER_STATE_READ_ONLY:
      return Fail("ledger", detail, MakeRoom(ledger, "values are read, and changes go on by themselves"));
    case v1::LEDGER_STATE_FENCED:
      return Fail("ledger", detail, "another kvs_server has taken over: talk to that one");
    case v1::LEDGER_STATE_REFUSED:
      return Fail("ledger", detail, "values are read but not written; the log of txn_server tells what it refuses");
    case v1::LEDGER_STATE_NONE:
      return Ok("ledger", detail);
    case v1::LEDGER_STATE_DATA_LOSS:
      return Fail(
          "ledger", detail,
          "do not stop this kvs_server, its memory may be the only good copy; docs/errors.md, LEDGER_LOST_DATA");
    default:
      return Fail("ledger", detail, "this state is newer than this program: use the `kvs` of the server's version");
  }
}

bool Examination::Caller(const client::Client& client) {
  const auto echo = client.maintenance().Echo("doctor", {.timeout = timeout_});
  if (Is(echo.status(), errors::kNotPermitted)) return Fail("caller", echo.status().message(), kIdentity);
  if (!echo.ok()) return Fail("caller", echo.status().message(), "read the server's log");
  return Ok("caller", absl::StrCat("the server takes you for ", echo->actor()));
}

}  // namespace

Health Examine(const Settings& settings, absl::FunctionRef<void(const Finding&)> report) {
  return Examination(settings, report).Run();
}

}  // namespace kvs::cli
