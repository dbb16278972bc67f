#include "common/model/request_window.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

// Requests of one actor, each of which took one revision.
struct SampleRequest {
  uint64_t revision;
  int64_t time_micros;
  std::string id;
  std::string response;

  RememberedRequest View() const { return {revision, time_micros, "ann", id, {revision * 10, 1, response}}; }
};

std::string Contents(const RequestWindow& window) {
  std::string text;
  window.ForEach([&](const RememberedRequest& request) {
    absl::StrAppend(&text, request.revision, " ", request.time_micros, " ", request.actor, " ", request.id, " ",
                    request.answer.command_hash, " ", request.answer.revisions, " ", request.answer.response, "\n");
  });
  return text;
}

TEST_CASE("a request window finds what was added, by actor and id") {
  RequestWindow window;
  CHECK(!window.Find("ann", "1"));
  CHECK(window.oldest_revision() == 0);
  window.Add({7, 100, "ann", "1", {42, 3, "answer"}});
  window.Add({8, 100, "", "1", {43, 1, "other"}});
  const auto found = window.Find("ann", "1");
  REQUIRE(found);
  CHECK(found->revision == 7);
  CHECK(found->first_revision() == 5);
  CHECK(found->time_micros == 100);
  CHECK((found->actor == "ann"));
  CHECK((found->id == "1"));
  CHECK(found->answer.command_hash == 42);
  CHECK((found->answer.response == "answer"));
  CHECK((window.Find("", "1")->answer.response == "other"));
  CHECK(!window.Find("ann", "2"));
  CHECK(!window.Find("an", "n1"));
  CHECK(window.size() == 2);
  CHECK(window.bytes() == 3 + 1 + 6 + 1 + 5);
  CHECK(window.oldest_revision() == 7);
  window.Clear();
  CHECK(!window.Find("ann", "1"));
  CHECK(window.size() == 0);
  CHECK(window.bytes() == 0);
  window.Add({1, 1, "ann", "1", {42, 1, "anew"}});
  CHECK((window.Find("ann", "1")->answer.response == "anew"));
}

TEST_CASE("a request window forgets the oldest by count, age and bytes") {
  RequestWindow by_count({2, 1'000, 1'000});
  for (const uint64_t revision : {1, 2, 3}) by_count.Add(SampleRequest{revision, 0, absl::StrCat(revision), ""}.View());
  CHECK(!by_count.Find("ann", "1"));
  CHECK(by_count.Find("ann", "2"));

  RequestWindow by_age({10, 1'000, 1'000});
  by_age.Add(SampleRequest{1, 500, "1", ""}.View());
  by_age.Add(SampleRequest{2, 1'500, "2", ""}.View());
  CHECK(by_age.Find("ann", "1"));
  by_age.Add(SampleRequest{3, 1'501, "3", ""}.View());
  CHECK(!by_age.Find("ann", "1"));
  CHECK(by_age.Find("ann", "2"));

  // Each has 4 bytes besides its response.
  RequestWindow by_bytes({10, 1'000, 24});
  by_bytes.Add(SampleRequest{1, 0, "1", "12345678"}.View());
  by_bytes.Add(SampleRequest{2, 0, "2", "12345678"}.View());
  CHECK(by_bytes.Find("ann", "1"));
  by_bytes.Add(SampleRequest{3, 0, "3", ""}.View());
  CHECK(!by_bytes.Find("ann", "1"));
  CHECK(by_bytes.Find("ann", "2"));
  by_bytes.Add(SampleRequest{4, 0, "4", std::string(30, 'x')}.View());
  CHECK(by_bytes.size() == 0);
  CHECK(by_bytes.bytes() == 0);
}

TEST_CASE("a request window tells the newest of two requests of the same name") {
  RequestWindow window({2, 1'000, 1'000});
  window.Add(SampleRequest{5, 0, "a", "new"}.View());
  window.Add(SampleRequest{3, 0, "a", "old"}.View());
  CHECK((window.Find("ann", "a")->answer.response == "new"));
  window.Add(SampleRequest{6, 0, "a", "newest"}.View());
  CHECK((window.Find("ann", "a")->answer.response == "newest"));
  CHECK(window.size() == 2);
  window.Add(SampleRequest{7, 0, "b", ""}.View());
  window.Add(SampleRequest{8, 0, "c", ""}.View());
  CHECK(!window.Find("ann", "a"));
}

TEST_CASE("what a request window holds does not depend on the order, nor on a wider window before it") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const RequestWindowBounds bounds{1 + random() % 20, static_cast<int64_t>(random() % 30), 20 + random() % 200};
    const RequestWindowBounds wider{bounds.count + random() % 5, bounds.age_micros + static_cast<int64_t>(random() % 5),
                                    bounds.bytes};
    std::vector<SampleRequest> samples;
    int64_t time = 0;
    for (uint64_t revision = 1; revision <= 40; ++revision) {
      time += static_cast<int64_t>(random() % 3);
      samples.push_back({revision, time, absl::StrCat(random() % 30), std::string(random() % 20, 'x')});
    }
    RequestWindow in_order(bounds);
    for (const SampleRequest& sample : samples) in_order.Add(sample.View());

    // As after a start from a snapshot: what a wider window held there, and what followed.
    const size_t snapshot = random() % samples.size();
    RequestWindow ledger(wider);
    for (size_t i = 0; i < snapshot; ++i) ledger.Add(samples[i].View());
    RequestWindow replayed(bounds);
    ledger.ForEach([&](const RememberedRequest& request) { replayed.Add(request); });
    for (size_t i = snapshot; i < samples.size(); ++i) replayed.Add(samples[i].View());
    CHECK(Contents(replayed) == Contents(in_order));

    std::shuffle(samples.begin(), samples.end(), random);
    RequestWindow shuffled(bounds);
    for (const SampleRequest& sample : samples) shuffled.Add(sample.View());
    for (const SampleRequest& sample : samples) shuffled.Add(sample.View());
    CHECK(Contents(shuffled) == Contents(in_order));
    for (const SampleRequest& sample : samples) {
      const auto a = shuffled.Find("ann", sample.id);
      const auto b = in_order.Find("ann", sample.id);
      REQUIRE(a.has_value() == b.has_value());
      if (a) CHECK(a->revision == b->revision);
    }
  }
}

}  // namespace
}  // namespace kvs
