#include "txn_server/log/postgres/connection_string.h"

#include <cstdlib>
#include <string>

#include "tests/support/catch.h"

namespace kvs::txn {
namespace {

std::string Made(const std::string& url) {
  const auto text = ConnectionString(url);
  REQUIRE(text.status() == absl::OkStatus());
  return *text;
}

TEST_CASE("postgres connection string: a password is found wherever it may stand") {
  for (const char* url : {"postgresql://u:p@host/db", "postgres://u:p@host", "postgresql://host/db?password=p",
                          "host=h password=p", "password = 'p q'", "postgresql://host/db?sslpassword=p",
                          "postgresql://u:p%40q@host/db", "postgresql://u:p@a,b/db"}) {
    INFO(url);
    CHECK(HasPassword(url));
  }
  for (const char* url : {"", "postgresql://u@host:5432/db", "host=h dbname=password",
                          "postgresql://u@host/db?passfile=f", "host=h user='a password=b'"}) {
    INFO(url);
    CHECK_FALSE(HasPassword(url));
  }
}

TEST_CASE(
    "postgres connection string: a password with a special character is found, and no part of it is taken or told") {
  for (const char* url :
       {"postgresql://kvs:p@ssword77@nohost/kvs", "postgresql://kvs:p#ad/pw77@nohost/kvs",
        "postgres://kvs:p/w77@nohost", "postgresql://kvs:12/w77@nohost/kvs", "postgresql://kvs:p@w/w77@nohost/kvs",
        "postgresql://kvs:p@w:w77@nohost", "postgresql://kvs:p@w?user=w77@nohost", "postgresql://kvs:p@@nohost",
        "postgresql://kvs:p%w77@nohost/kvs", "postgresql://kvs:p@[w77@nohost/kvs",
        "postgresql://kvs@corp:w77@nohost/kvs", "kvs:w77@nohost", "hots=x password=w77", "postgresql://kvs:[w/@nohost",
        "dbname=postgresql://kvs:w77@nohost/kvs", "host=h dbname='postgres://kvs:w77@nohost'",
        "postgresql://h/?dbname=postgresql%3A//kvs:w77@h"}) {
    INFO(url);
    CHECK(HasPassword(url));
    const absl::Status status = ConnectionString(url).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), ContainsText("a special character in a URL is written as %XX"));
    CHECK(status.message().find("77") == absl::string_view::npos);
  }
  CHECK_FALSE(ConnectionString("host=h port=p").ok());
  for (const char* url : {"postgresql://kvs:p%40s%2Fs%23@h:5432,i:5433/kvs", "postgresql://kvs:p#s?@h/kvs",
                          "postgresql://kvs@h/db?user=u@corp", "postgresql://%40socket/kvs?user=u@corp",
                          "host=@socket password=p@:/# port=5432", "dbname=a@b"}) {
    INFO(url);
    CHECK(ConnectionString(url).status() == absl::OkStatus());
  }
}

TEST_CASE("postgres connection string: what is given stays, what finds dead connections is added") {
  const std::string text = Made("postgresql://u@host/db?keepalives_idle=99");
  CHECK_THAT(text, ContainsText("host='host'"));
  CHECK_THAT(text, ContainsText("dbname='db'"));
  CHECK_THAT(text, ContainsText("keepalives_idle='99'"));
  CHECK_THAT(text, ContainsText("keepalives_count='3'"));
  CHECK_THAT(text, ContainsText("tcp_user_timeout='10000'"));
  CHECK_THAT(text, ContainsText("connect_timeout='5'"));
  CHECK_THAT(Made("connect_timeout=9"), ContainsText("connect_timeout='9'"));
}

TEST_CASE("postgres connection string: the encoding is always UTF8") {
  const std::string text = Made("client_encoding=LATIN1");
  CHECK_THAT(text, ContainsText("client_encoding='UTF8'"));
  CHECK(text.find("LATIN1") == std::string::npos);
}

TEST_CASE("postgres connection string: quotes and backslashes survive") {
  const std::string text = Made("user='it\\'s' password='back\\\\slash'");
  CHECK_THAT(text, ContainsText("user='it\\'s'"));
  CHECK_THAT(text, ContainsText("password='back\\\\slash'"));
  CHECK(Made(text) == text);
}

}  // namespace
}  // namespace kvs::txn
