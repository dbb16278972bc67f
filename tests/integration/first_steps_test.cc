// The shortest way through everything: put, get, restart of both, get.

#include "kvs/v1/int_store.grpc.pb.h"
#include "kvs/v1/string_store.grpc.pb.h"
#include "tests/support/pair.h"

namespace kvs {
namespace {

using Ints = v1::IntStore::Stub;

TEST_CASE("a put is answered, read, and found again by the next process") {
  Pair pair;
  pair.Start();
  {
    Ints ints(pair.channel());
    v1::IntStorePutRequest put;
    put.set_key("visits");
    put.set_value(41);
    v1::IntStorePutResponse done;
    REQUIRE(Call(ints, &Ints::Put, put, &done).ok());
    CHECK_FALSE(done.replaced());
    CHECK(done.revision() == 1);
    CHECK(done.latest_revision() == 1);
  }
  pair.StopKvs();
  pair.StopLedger();
  pair.Start();
  Ints ints(pair.channel());
  v1::IntStoreGetRequest get;
  get.set_key("visits");
  v1::IntStoreGetResponse got;
  REQUIRE(Call(ints, &Ints::Get, get, &got).ok());
  CHECK(got.value() == 41);
  CHECK(got.revision() == 1);
}

}  // namespace
}  // namespace kvs
