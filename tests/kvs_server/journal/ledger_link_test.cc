#include "kvs_server/journal/ledger_link.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/latch.h"
#include "tests/kvs_server/support/link_fixture.h"
#include "tests/kvs_server/support/scripted_ledger.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

// Attaches and is a right ledger from then on.
absl::Status Serve(AppendCall& call) {
  if (call.Attach()) call.Work();
  return absl::OkStatus();
}

// Opening and waiting

TEST_CASE_METHOD(LinkFixture, "link: opens, replays, and makes durable what is enqueued") {
  ledger_.OnReplay({[](ReplayCall& call) {
    call.SendAll(3);
    return absl::OkStatus();
  }});
  StartAndConnect();
  CHECK(Applied() == std::vector<uint64_t>{1, 2, 3});
  CHECK(ReplayedCount() == 1);
  CHECK(Enqueue()->first_revision == 4);
  AwaitDurable(4);
  CHECK(DistinctStates() == States{LedgerState::kReplaying, LedgerState::kConnected});
  CHECK(journal_.status().epoch == 7);
  CHECK(journal_.status().log_id == "log-id-of-16-byt");
}

TEST_CASE_METHOD(LinkFixture, "link: a replay of many transactions goes on where it was cut, or begins anew") {
  const bool anew = GENERATE(false, true);
  const auto cut = [anew](ReplayCall& call) {
    call.Send(1, 5000);
    call.Send(5001, 9000);
    call.Send(9001, 9100);
    return anew ? Error(errors::kCompacted, "gone") : Away();
  };
  ledger_.OnReplay({cut, [](ReplayCall& call) {
                      call.SendAll(20'000);
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  CHECK(ClearedCount() == (anew ? 1 : 0));
  CHECK(store_.CountKeys().keys[static_cast<size_t>(ValueType::kInt)] == 20'000);
  CHECK(store_.CountKeys().newest_revision == 20'000);
}

TEST_CASE_METHOD(LinkFixture, "link: waits for a ledger that does not answer, and says so when the reason changes") {
  const auto fail = [](absl::string_view why) {
    return [why](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return Away(why); };
  };
  ledger_.OnOpen({fail("first reason"), fail("first reason"), fail("first reason"), fail("second reason"),
                  [](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return absl::OkStatus(); }});
  StartAndConnect();
  CHECK(DistinctStates() == States{LedgerState::kWaiting, LedgerState::kReplaying, LedgerState::kConnected});
  CHECK(ledger_.opens().size() == 5);
  CHECK(log_.Count("waiting for the ledger") == 2);
  CHECK(log_.Count("first reason") == 1);
  CHECK(log_.Count("second reason") == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: says that a ledger does not answer, and for how long") {
  options_.call_timeout = absl::Milliseconds(50);
  ledger_.OnOpen({[this](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) {
                    release_.Wait();
                    return absl::OkStatus();
                  },
                  [](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return absl::OkStatus(); }});
  StartAndConnect();
  CHECK(log_.Count("the ledger does not answer: nothing came within 50ms") == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: says that a ledger has no space, also before it was opened") {
  ledger_.OnOpen(
      {[](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return Error(errors::kNoSpace, "full"); },
       [](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return absl::OkStatus(); }});
  StartAndConnect();
  CHECK(DistinctStates() == States{LedgerState::kReadOnly, LedgerState::kReplaying, LedgerState::kConnected});
}

TEST_CASE_METHOD(LinkFixture, "link: does not wait for a ledger that refuses it") {
  const absl::Status refusal = GENERATE(Error(errors::kWriterActive, "taken"), Error(errors::kNotPermitted, "no role"));
  ledger_.OnOpen({[refusal](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return refusal; }});
  Start();
  CHECK(AwaitFatal().code() == refusal.code());
  LetAttemptsBegin();
  CHECK(AttemptsSinceFatal() == 0);
}

// Replays that are wrong

TEST_CASE_METHOD(LinkFixture, "link: a replay whose end record differs from what came is data loss") {
  const int wrong = GENERATE(0, 1, 2);
  CAPTURE(wrong);
  ledger_.OnReplay({[wrong](ReplayCall& call) {
    call.Send(1, 3);
    ::txn::v1::ReplayEnd end = call.RightEnd();
    if (wrong == 0) end.set_crc32c(end.crc32c() + 1);
    if (wrong == 1) end.set_count(end.count() + 1);
    if (wrong == 2) end.set_last_revision(end.last_revision() + 1);
    call.End(end);
    return absl::OkStatus();
  }});
  Start();
  CHECK(absl::IsDataLoss(AwaitFatal()));
  LetAttemptsBegin();
  CHECK(ReplayedCount() == 0);
  CHECK(FatalCount() == 1);
  CHECK(AttemptsSinceFatal() == 0);
  CHECK(DistinctStates() == States{LedgerState::kReplaying});
}

TEST_CASE_METHOD(LinkFixture, "link: a replay that jumps is data loss") {
  const uint64_t next = GENERATE(uint64_t{2}, uint64_t{4});
  ledger_.OnReplay({[next](ReplayCall& call) {
    call.Send(1, 2);
    call.Send(next, next);
    return absl::OkStatus();
  }});
  Start();
  const absl::Status status = AwaitFatal();
  CHECK(absl::IsDataLoss(status));
  CHECK(std::string(status.message()) == absl::StrCat("the replay jumps from revision 2 to ", next));
  CHECK(Applied() == std::vector<uint64_t>{1, 2});
}

TEST_CASE_METHOD(LinkFixture, "link: a replay that ends before what the ledger held when it was opened is data loss") {
  ledger_.OnOpen({[](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse* response) {
    response->set_durable_revision(5);
    return absl::OkStatus();
  }});
  ledger_.OnReplay({[](ReplayCall& call) {
    call.SendAll(4);
    return absl::OkStatus();
  }});
  Start();
  CHECK(AwaitFatal() == absl::DataLossError("the ledger held revision 5 when it was opened, and its replay ends at 4"));
  CHECK(ReplayedCount() == 0);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger that during the replay comes back with less is data loss") {
  ledger_.OnReplay({[](ReplayCall& call) {
                      call.Send(1, 3);
                      return Away();
                    },
                    [](ReplayCall&) { return absl::OutOfRangeError("the newest revision is 1"); }});
  Start();
  CHECK(AwaitFatal() == absl::DataLossError("the ledger held revision 3 and lost it: the newest revision is 1"));
  LetAttemptsBegin();
  CHECK(AttemptsSinceFatal() == 0);
}

TEST_CASE_METHOD(LinkFixture, "link: a replay that goes on behind its end is data loss") {
  ledger_.OnReplay({[](ReplayCall& call) {
    call.SendAll(2);
    call.Send(3, 3);
    return absl::OkStatus();
  }});
  Start();
  CHECK(AwaitFatal() == absl::DataLossError("the ledger went on with a replay that it had ended"));
  CHECK(ReplayedCount() == 0);
}

TEST_CASE_METHOD(LinkFixture, "link: a replay that cannot be decoded is data loss") {
  ScriptedLedger::Replay bad;
  std::string message;
  SECTION("because its bytes are no message") {
    message = "the replay after revision 1 cannot be read: these bytes are no list of transactions";
    bad = [](ReplayCall& call) {
      call.Send(1, 1);
      call.SendBytes("\xFF\xFF");
      return absl::OkStatus();
    };
  }
  SECTION("because a transaction is none") {
    message = "the replay after revision 1 cannot be read: a stored transaction has no key";
    bad = [](ReplayCall& call) {
      call.Send(1, 1);
      ::txn::v1::TransactionList list;
      list.add_transactions()->set_revision(2);
      call.SendBytes(list.SerializeAsString());
      return absl::OkStatus();
    };
  }
  SECTION("because a message is of a kind that is not known") {
    message = "the ledger sent a replay message that this version does not know";
    bad = [](ReplayCall& call) {
      call.Send(1, 1);
      call.SendEmptyMessage();
      return absl::OkStatus();
    };
  }
  SECTION("because the ledger says that it is damaged") {
    message = "damaged";
    bad = [](ReplayCall& call) {
      call.Send(1, 1);
      return Error(errors::kDamagedLog, "damaged");
    };
  }
  ledger_.OnReplay({bad});
  Start();
  const absl::Status status = AwaitFatal();
  CHECK(absl::IsDataLoss(status));
  CHECK(status.message().find(message) == 0);
  LetAttemptsBegin();
  CHECK(Applied() == std::vector<uint64_t>{1});
  CHECK(FatalCount() == 1);
  CHECK(AttemptsSinceFatal() == 0);
}

// Replays that are cut

TEST_CASE_METHOD(LinkFixture, "link: a replay that was cut goes on from where it stopped, over a fresh channel") {
  const bool with_error = GENERATE(true, false);
  ledger_.OnReplay({[this, with_error](ReplayCall& call) {
                      Remember(absl::StrCat("channel ", channels_.load(), " from ", call.from()));
                      call.Send(1, 3);
                      return with_error ? Away() : absl::OkStatus();
                    },
                    [this](ReplayCall& call) {
                      Remember(absl::StrCat("channel ", channels_.load(), " from ", call.from()));
                      call.SendAll(5);
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  // The first one is that of Open.
  CHECK(Notes() == std::vector<std::string>{"channel 1 from 0", "channel 2 from 4"});
  CHECK(Applied() == std::vector<uint64_t>{1, 2, 3, 4, 5});
  CHECK(log_.Count("the replay was cut") == 1);
}

TEST_CASE_METHOD(LinkFixture,
                 "link: a replay that is cut again and again is told when the reason or the place changes") {
  const auto cut = [](uint64_t last, absl::string_view why) {
    return [last, why](ReplayCall& call) {
      call.SendRest(last);
      return Away(why);
    };
  };
  ledger_.OnReplay({cut(0, "first reason"), cut(0, "first reason"), cut(0, "second reason"), cut(2, "second reason"),
                    cut(2, "second reason"), [](ReplayCall& call) {
                      call.SendAll(2);
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  CHECK(log_.Count("the replay was cut") == 3);
  CHECK(log_.Count("first reason") == 1);
  CHECK(log_.Count("second reason") == 2);
}

TEST_CASE_METHOD(LinkFixture, "link: a stream that dies during the replay is taken up again when it is over") {
  ledger_.OnAppend({[](AppendCall&) { return Away(); }, Serve});
  // The end of the stream arrives before the last of these.
  const auto cut = [](ReplayCall&) { return Away(); };
  ledger_.OnReplay({cut, cut, cut, cut, [](ReplayCall& call) {
                      call.SendAll(2);
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  CHECK(DistinctStates() == States{LedgerState::kReplaying, LedgerState::kReconnecting, LedgerState::kConnected});
  CHECK(ledger_.resumes().size() == 1);
  CHECK(ledger_.appends().size() == 2);
  CHECK(Enqueue()->first_revision == 3);
  AwaitDurable(3);
}

// Losing the ledger and finding it again

TEST_CASE_METHOD(LinkFixture, "link: what is pending when the stream breaks is sent again, unchanged") {
  const auto receive = [this](AppendCall& call) {
    call.Attach();
    if (const auto frame = call.Frame()) Remember(frame->SerializeAsString());
  };
  ledger_.OnAppend({[receive](AppendCall& call) {
                      receive(call);
                      return Away();
                    },
                    [receive](AppendCall& call) {
                      receive(call);
                      call.Acknowledge(1);
                      call.Work();
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitDurable(1);
  AwaitState(LedgerState::kConnected, 2);
  const std::vector<std::string> frames = Notes();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0] == frames[1]);
  CHECK(DistinctStates() ==
        States{LedgerState::kReplaying, LedgerState::kConnected, LedgerState::kReconnecting, LedgerState::kConnected});
}

TEST_CASE_METHOD(LinkFixture, "link: while attaching fails the breaker stays open and attempts become rare") {
  options_.min_backoff = absl::Milliseconds(10);
  options_.max_backoff = absl::Milliseconds(80);
  ledger_.OnAppend({[this](AppendCall& call) {
                      call.Attach();
                      release_.Wait();
                      return Away();
                    },
                    [](AppendCall&) { return Away(); }});
  StartAndConnect();
  release_.CountDown();
  AwaitState(LedgerState::kAway);
  CHECK(Is(Enqueue().status(), errors::kNotApplied));
  ledger_.AwaitResumes(7);
  CHECK(DistinctStates() ==
        States{LedgerState::kReplaying, LedgerState::kConnected, LedgerState::kReconnecting, LedgerState::kAway});
  // The first Resume is tried at once. Each wait is at least half of what it would be without jitter.
  const std::vector<absl::Time> resumes = ledger_.resumes();
  for (size_t i = 1; i < 7; ++i) {
    const absl::Duration ceiling = std::min(options_.min_backoff * (1 << (i - 1)), options_.max_backoff);
    CAPTURE(i);
    CHECK(resumes[i] - resumes[i - 1] >= ceiling / 2);
  }
  CHECK(log_.Count("the ledger is away") == 1);
  ledger_.OnAppend({Serve});
  AwaitState(LedgerState::kConnected, 2);
  REQUIRE(Enqueue().ok());
  AwaitDurable(1);
}

TEST_CASE_METHOD(LinkFixture, "link: after success the first attempts are quick again") {
  options_.min_backoff = absl::Milliseconds(1);
  options_.max_backoff = absl::Hours(1);
  const auto away = [](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return Away(); };
  const auto fine = [](const ::txn::v1::ResumeRequest& request, ::txn::v1::ResumeResponse* response) {
    response->set_durable_revision(request.acknowledged_revision());
    return absl::OkStatus();
  };
  // Without a new beginning the last attempts would be put off for minutes.
  std::vector<ScriptedLedger::Resume> resumes;
  for (int loss = 0; loss < 4; ++loss) {
    for (int i = 0; i < 5; ++i) resumes.emplace_back(away);
    resumes.emplace_back(fine);
  }
  ledger_.OnResume(resumes);
  ptrdiff_t losses = 0;
  const auto lost = [&](AppendCall& call) {
    call.Attach();
    AwaitState(LedgerState::kConnected, ++losses);
    return Away();
  };
  ledger_.OnAppend({lost, lost, lost, lost, Serve});
  StartAndConnect();
  AwaitState(LedgerState::kConnected, 5);
  REQUIRE(Enqueue().ok());
  AwaitDurable(1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger that is away is told once for each reason, and anew the next time") {
  const auto away = [](absl::string_view why) {
    return [why](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return Away(why); };
  };
  const auto fine = [](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return absl::OkStatus(); };
  ledger_.OnResume({away("first reason"), away("first reason"), away("second reason"), away("second reason"), fine,
                    away("second reason"), fine});
  ptrdiff_t losses = 0;
  const auto lost = [&](AppendCall& call) {
    call.Attach();
    AwaitState(LedgerState::kConnected, ++losses);
    return Away("broken");
  };
  ledger_.OnAppend({lost, lost, Serve});
  StartAndConnect();
  AwaitState(LedgerState::kConnected, 3);
  REQUIRE(Enqueue().ok());
  AwaitDurable(1);
  CHECK(log_.Count("the ledger is away") == 3);
  CHECK(log_.Count("first reason") == 1);
  CHECK(log_.Count("second reason") == 2);
  CHECK(log_.Count("lost the stream to the ledger") == 2);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger that is silent for too long is left, and found again by Resume") {
  options_.silence_timeout = absl::Milliseconds(50);
  ledger_.OnAppend({[this](AppendCall& call) {
                      call.Attach();
                      call.FallSilent();
                      Remember("the writer has gone");
                      return absl::OkStatus();
                    },
                    Serve});
  StartAndConnect();
  AwaitState(LedgerState::kReconnecting);
  AwaitState(LedgerState::kConnected, 2);
  CHECK(!ledger_.resumes().empty());
  CHECK(Notes() == std::vector<std::string>{"the writer has gone"});
  CHECK(log_.Count("nothing came within 50ms") >= 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger is not called silent because the loop stood still") {
  options_.silence_timeout = absl::Seconds(1);
  ledger_.OnAppend({Serve});
  StartAndConnect();
  Latch stood_still;
  loop_.Post([&] {
    const absl::Time end = absl::Now() + options_.silence_timeout * 1.5;
    while (absl::Now() < end) std::this_thread::yield();
    stood_still.CountDown();
  });
  stood_still.Wait();
  LetPass(absl::Milliseconds(300));
  CHECK(DistinctStates().back() == LedgerState::kConnected);
  CHECK(log_.Count("lost the stream to the ledger") == 0);
}

TEST_CASE_METHOD(LinkFixture, "link: says that it is alive when it has nothing to send") {
  ledger_.OnAppend({[this](AppendCall& call) {
    call.Attach();
    call.OnHeartbeat([this] { heard_.CountDown(); });
    call.Work();
    return absl::OkStatus();
  }});
  StartAndConnect();
  heard_.Wait();
}

// No space

TEST_CASE_METHOD(LinkFixture, "link: a replay that says nothing for too long is asked for again") {
  options_.replay_timeout = absl::Milliseconds(50);
  ledger_.OnReplay({[this](ReplayCall& call) {
                      call.Send(1, 3);
                      release_.Wait();
                      return absl::OkStatus();
                    },
                    [this](ReplayCall& call) {
                      release_.CountDown();
                      call.SendAll(5);
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  CHECK(Applied() == std::vector<uint64_t>{1, 2, 3, 4, 5});
  CHECK(log_.Count("silent for too long in a replay") >= 1);
}

TEST_CASE_METHOD(LinkFixture,
                 "link: a ledger without space is written to again only when it has made something durable") {
  ledger_.OnAppend({[](AppendCall& call) {
                      call.Attach();
                      call.Frame();
                      return Error(errors::kNoSpace, "full");
                    },
                    [this](AppendCall& call) {
                      call.Attach();
                      call.Frame();
                      call.Heartbeat();
                      release_.Wait();
                      call.Acknowledge(1);
                      call.Work();
                      return absl::OkStatus();
                    }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kReadOnly);
  ledger_.AwaitAppends(2);
  CHECK(Is(Enqueue().status(), errors::kNotApplied));
  release_.CountDown();
  AwaitState(LedgerState::kConnected, 2);
  CHECK(DurableAtLastState() == 1);
  CHECK(DistinctStates() ==
        States{LedgerState::kReplaying, LedgerState::kConnected, LedgerState::kReadOnly, LedgerState::kConnected});
  CHECK(log_.Count("the ledger has no space") == 1);
}

TEST_CASE_METHOD(LinkFixture,
                 "link: a ledger that refuses what is pending again and again is asked seldom, and told of once") {
  std::vector<ScriptedLedger::Append> appends(20, [](AppendCall& call) {
    call.Attach();
    call.Heartbeat();
    call.Frame();
    return absl::InternalError("no such table");
  });
  appends.emplace_back(Serve);
  ledger_.OnAppend(appends);
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kConnected, 2);
  CHECK(DurableAtLastState() == 1);
  CHECK(DistinctStates() == States{LedgerState::kReplaying, LedgerState::kConnected, LedgerState::kReconnecting,
                                   LedgerState::kAway, LedgerState::kConnected});
  CHECK(log_.Count("the ledger is away") == 1);
  CHECK(log_.Count("the ledger is back") == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger without space that has all of it after all is written to again") {
  ledger_.OnAppend({[](AppendCall& call) {
                      call.Attach();
                      call.Frame();
                      return Error(errors::kNoSpace, "full");
                    },
                    Serve});
  ledger_.OnResume({[](const ::txn::v1::ResumeRequest& request, ::txn::v1::ResumeResponse* response) {
    response->set_durable_revision(request.sent_revision());
    return absl::OkStatus();
  }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kReadOnly);
  AwaitState(LedgerState::kConnected, 2);
  CHECK(journal_.durable_revision() == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger without space that cannot be reached is away, and may still have none") {
  const bool at_attach = GENERATE(false, true);
  std::vector<ScriptedLedger::Append> appends = {[](AppendCall& call) {
    call.Attach();
    call.Frame();
    return Error(errors::kNoSpace, "full");
  }};
  if (at_attach) {
    appends.emplace_back([](AppendCall&) { return Away(); });
  } else {
    ledger_.OnResume({[](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return Away(); },
                      [](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return absl::OkStatus(); }});
  }
  appends.emplace_back([](AppendCall& call) {
    call.Attach();
    call.Frame();
    call.Acknowledge(1);
    call.Work();
    return absl::OkStatus();
  });
  ledger_.OnAppend(appends);
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kConnected, 2);
  CHECK(DurableAtLastState() == 1);
  CHECK(DistinctStates() == States{LedgerState::kReplaying, LedgerState::kConnected, LedgerState::kReadOnly,
                                   LedgerState::kAway, LedgerState::kConnected});
  CHECK(log_.Count("the ledger is away") == 1);
}

// What ends the attempts

TEST_CASE_METHOD(LinkFixture, "link: a ledger that acknowledges what it was never sent raises the data-loss alarm") {
  ledger_.OnAppend({[](AppendCall& call) {
    call.Attach();
    call.Frame();
    call.Acknowledge(2);
    call.Work();
    return absl::OkStatus();
  }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kDataLoss);
  LetAttemptsBegin();
  CHECK(Is(Enqueue().status(), errors::kNotApplied));
  CHECK(DistinctStates().back() == LedgerState::kDataLoss);
  CHECK(ledger_.resumes().empty());
  CHECK(FatalCount() == 0);
  CHECK(log_.Count("the ledger holds less than it acknowledged") == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger that comes back with another history raises the data-loss alarm") {
  const int kind = GENERATE(0, 1, 2);
  CAPTURE(kind);
  ledger_.OnAppend({[](AppendCall& call) {
    call.Attach();
    call.Frame();
    call.Acknowledge(1);
    call.Frame();
    return Away();
  }});
  ledger_.OnResume({[kind](const ::txn::v1::ResumeRequest& request, ::txn::v1::ResumeResponse* response) {
    if (kind == 0) response->set_durable_revision(request.acknowledged_revision() - 1);
    if (kind == 1) response->set_durable_revision(request.sent_revision() + 1);
    return kind == 2 ? Error(errors::kLedgerLostData, "rolled back") : absl::OkStatus();
  }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitDurable(1);
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kDataLoss);
  LetAttemptsBegin();
  CHECK(DistinctStates().back() == LedgerState::kDataLoss);
  CHECK(ledger_.resumes().size() == 1);
  CHECK(ledger_.appends().size() == 1);
  CHECK(journal_.durable_revision() == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a fenced writer is told so once and stays away for good") {
  const absl::Status fenced = Error(errors::kFenced, "another writer came");
  bool replays = false;
  SECTION("on the stream") {
    ledger_.OnAppend({[fenced](AppendCall& call) {
      call.Attach();
      call.Frame();
      return fenced;
    }});
  }
  SECTION("when it comes back") {
    ledger_.OnAppend({[](AppendCall& call) {
      call.Attach();
      call.Frame();
      return Away();
    }});
    ledger_.OnResume({[fenced](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return fenced; }});
  }
  SECTION("during the replay") {
    replays = true;
    ledger_.OnAppend({[fenced](AppendCall&) { return fenced; }});
    ledger_.OnReplay({[](ReplayCall&) { return Away(); }});
  }
  Start();
  if (!replays) {
    AwaitState(LedgerState::kConnected);
    REQUIRE(Enqueue().ok());
  }
  CHECK(Is(AwaitFatal(), errors::kFenced));
  AwaitState(LedgerState::kFenced);
  LetAttemptsBegin();
  CHECK(DistinctStates().back() == LedgerState::kFenced);
  CHECK(Is(Enqueue().status(), errors::kNotApplied));
  CHECK(AttemptsSinceFatal() == 0);
  CHECK(FatalCount() == 1);
}

TEST_CASE_METHOD(LinkFixture, "link: a ledger that can never accept what is pending is asked no more") {
  ledger_.OnAppend({[](AppendCall& call) {
    call.Attach();
    call.Frame();
    return Error(errors::kGap, "revision 5 must come next");
  }});
  StartAndConnect();
  REQUIRE(Enqueue().ok());
  AwaitState(LedgerState::kRefused);
  LetAttemptsBegin();
  CHECK(DistinctStates().back() == LedgerState::kRefused);
  CHECK(ledger_.resumes().empty());
  CHECK(FatalCount() == 0);
}

// The end

// What must hold after Stop, with the loop running on: nothing is called, and the journal is left alone.
class StoppedLink : public LinkFixture {
 protected:
  StoppedLink() : LinkFixture(absl::Milliseconds(50)) {}

  void StopAndCheck() {
    Stop();
    const size_t states = StateCount();
    const std::vector<uint64_t> applied_before = Applied();
    const int channels = channels_;
    // A wait that took too long would be ended, and a mutation sent, by a link that still lives.
    journal_.SetState(LedgerState::kConnected, "");
    REQUIRE(Enqueue().ok());
    std::atomic<bool> ended{false};
    journal_.WhenDurable(journal_.status().latest_revision, [&](Durability) { ended = true; });
    LetPass(absl::Milliseconds(300));
    CHECK_FALSE(ended);
    CHECK(journal_.sent_revision() < journal_.status().latest_revision);
    CHECK(StateCount() == states);
    CHECK(Applied() == applied_before);
    CHECK(channels_ == channels);
    CHECK(FatalCount() == 0);
    journal_.Abandon();
  }
};

TEST_CASE_METHOD(StoppedLink, "link: stops with a stream open") {
  StartAndConnect();
  StopAndCheck();
}

TEST_CASE_METHOD(StoppedLink, "link: stops before the loop has run what Start posted") {
  Start();
  Stop();
}

TEST_CASE_METHOD(StoppedLink, "link: stops while a call is under way") {
  SECTION("of Open") {
    ledger_.OnOpen({[this](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) {
      release_.Wait();
      return absl::OkStatus();
    }});
    Start();
    ledger_.AwaitOpens(1);
  }
  SECTION("of Resume") {
    ledger_.OnAppend({[](AppendCall& call) {
      call.Attach();
      call.Frame();
      return Away();
    }});
    ledger_.OnResume({[this](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) {
      release_.Wait();
      return absl::OkStatus();
    }});
    StartAndConnect();
    REQUIRE(Enqueue().ok());
    ledger_.AwaitResumes(1);
  }
  StopAndCheck();
}

TEST_CASE_METHOD(StoppedLink, "link: stops while an attempt is put off") {
  options_.min_backoff = options_.max_backoff = absl::Milliseconds(200);
  SECTION("to open") {
    ledger_.OnOpen({[](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*) { return Away(); }});
    Start();
    AwaitState(LedgerState::kWaiting);
  }
  SECTION("to resume") {
    ledger_.OnAppend({[](AppendCall& call) {
      call.Attach();
      call.Frame();
      return Away();
    }});
    ledger_.OnResume({[](const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*) { return Away(); }});
    StartAndConnect();
    REQUIRE(Enqueue().ok());
    AwaitState(LedgerState::kAway);
  }
  StopAndCheck();
}

TEST_CASE_METHOD(StoppedLink, "link: stops during the replay") {
  ledger_.OnReplay({[this](ReplayCall& call) {
    for (uint64_t revision = 1; call.Send(revision, revision); ++revision) heard_.CountDown();
    return absl::OkStatus();
  }});
  Start();
  heard_.Wait();
  StopAndCheck();
  CHECK(ReplayedCount() == 0);
}

}  // namespace
}  // namespace kvs::server
