#include "clients/cli/output.h"

#include <sstream>

#include "clients/cli/exit_status.h"
#include "common/errors.h"
#include "kvs/v1/int_store.pb.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

class Printed {
 public:
  explicit Printed(Format format) : output_(format, out_, err_) {
    settings_.address = {"here:1", "KVS_ADDRESS", 1};
    settings_.places = {"flags: none"};
  }

  Output* operator->() { return &output_; }
  std::string Error(const absl::Status& status, const AdviceFor& advice_for = {}) {
    output_.Error(status, settings_, advice_for);
    return err_.str();
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

 private:
  std::ostringstream out_;
  std::ostringstream err_;
  Output output_;
  Settings settings_;
};

v1::IntStoreGetResponse FortyOne() {
  v1::IntStoreGetResponse response;
  response.set_value(41);
  return response;
}

TEST_CASE("a result is its text or its message") {
  Printed text(Format::kText);
  text->Result(FortyOne(), "41");
  CHECK(text.out() == "41\n");
  Printed json(Format::kJson);
  json->Result(FortyOne(), "41");
  CHECK(json.out() == "{\"value\":\"41\"}\n");
}

TEST_CASE("a part may be no text at all") {
  Printed text(Format::kText);
  text->Part(FortyOne(), "");
  CHECK(text.out().empty());
}

TEST_CASE("an error tells what to do next") {
  const auto text_of = [](const absl::Status& status, const AdviceFor& advice_for = {}) {
    return Printed(Format::kText).Error(status, advice_for);
  };
  CHECK(text_of(Error(errors::kKeyNotFound, "no int visits")) == "kvs: no int visits\n");
  CHECK(text_of(UsageError("wrong")) == "kvs: wrong\n");
  CHECK_THAT(text_of(Error(errors::kReplyTooLarge, "x")), ContainsText("next: `kvs set list KEY`"));
  CHECK_THAT(text_of(Error(errors::kReplyTooLarge, "x"), {.changes = true}), ContainsText("next: divide it"));
  CHECK_THAT(text_of(Error(errors::kNotApplied, "x"), {.changes = true}), ContainsText("next: `kvs status`"));
  CHECK_THAT(text_of(Error(errors::kNotApplied, "x", {{"until_restart", "true"}}), {.changes = true}),
             !ContainsText("next:"));
  for (const absl::Status& unknown : {Error(errors::kOutcomeUnknown, "x"), absl::UnavailableError("x")}) {
    CHECK_THAT(text_of(unknown, {.changes = true}), ContainsText("may have been made or not"));
    CHECK_THAT(text_of(unknown, {.changes = true, .is_named = true}), ContainsText("with the same --request-id"));
    CHECK_THAT(text_of(unknown, {.changes = true, .may_be_repeated = true}), ContainsText("next: run it again"));
    CHECK_THAT(text_of(unknown), ContainsText("next: try again"));
  }
}

TEST_CASE("what passes by itself ends with 3, whatever its code is") {
  for (const ErrorKind& kind : {errors::kPendingWindowFull, errors::kTooManyWaiting, errors::kTooManyScans,
                                errors::kTooManyPipelines, errors::kScanOvertaken, errors::kScanStalled}) {
    INFO(kind.reason);
    CHECK(ExitStatusOf(Error(kind, "busy")) == kUnreachable);
  }
  CHECK(ExitStatusOf(Error(errors::kMemoryFull, "full")) == kRefused);
  CHECK(ExitStatusOf(Error(errors::kRevisionMismatch, "changed")) == kRefused);
}

TEST_CASE("a place before an error, and more behind it, leave its details as they are") {
  const absl::Status error =
      WithEnd(WithPlace(Error(errors::kInvalidKey, "the key is empty"), "line 3"), "that is all");
  CHECK(error.message() == "line 3: the key is empty; that is all");
  CHECK(Is(error, errors::kInvalidKey));
  CHECK(WithPlace(Error(errors::kOutcomeUnknown, ""), "line 3").message() == "line 3: OUTCOME_UNKNOWN");
}

TEST_CASE("counted things") {
  CHECK(Counted(0, "key") == "0 keys");
  CHECK(Counted(1, "key") == "1 key");
  CHECK(Counted(2, "key") == "2 keys");
}

TEST_CASE("an unreachable server shows the settings and where they are from") {
  const std::string text = Printed(Format::kText).Error(Error(errors::kUnreachable, "cannot connect"));
  CHECK_THAT(text, ContainsText("kvs: cannot connect\n"));
  CHECK_THAT(text, ContainsText("here:1  (KVS_ADDRESS)"));
  CHECK_THAT(text, ContainsText("looked at:\n  flags: none\n"));
  CHECK_THAT(text, ContainsText("`kvs doctor`"));
}

TEST_CASE("a server that does not know the call is named, with the settings that led there") {
  for (const std::string said : {"", "unknown service kvs.v1.IntStore"}) {
    const std::string text = Printed(Format::kText).Error(absl::UnimplementedError(said));
    CHECK_THAT(text, ContainsText("kvs: what answers at here:1 does not know this call: it is no kvs_server"));
    CHECK_THAT(text, ContainsText(said));
    CHECK_THAT(text, ContainsText("here:1  (KVS_ADDRESS)"));
    CHECK_THAT(text, ContainsText("next: give the address of kvs_server"));
  }
  const std::string json = Printed(Format::kJson).Error(absl::UnimplementedError(""));
  CHECK_THAT(json, ContainsText("\"message\":\"what answers at here:1 does not know"));
  CHECK_THAT(json, ContainsText("\"address_source\":\"KVS_ADDRESS\""));
  CHECK(Printed(Format::kText).Error(Error(errors::kUnsupportedOption, "no ttl")) == "kvs: no ttl\n");
}

TEST_CASE("a message is one line, whatever it repeats, and commands no terminal") {
  CHECK(Printed(Format::kText).Error(UsageError("\"a\x1b[2J\nb\\c\" is not a number")) ==
        "kvs: \"a\\x1b[2J\\nb\\c\" is not a number\n");
  Printed note(Format::kText);
  note->Note("a\rb");
  CHECK(note.err() == "kvs: a\\x0db\n");
}

TEST_CASE("errors as JSON are one object on one line") {
  const std::string json =
      Printed(Format::kJson).Error(Error(errors::kOverflow, "too\nlarge", {{"limit", "9"}, {"a", "b"}}));
  CHECK(json ==
        "{\"code\":\"OUT_OF_RANGE\",\"reason\":\"OVERFLOW\",\"message\":\"too\\nlarge\","
        "\"metadata\":{\"a\":\"b\",\"limit\":\"9\"}}\n");
  CHECK_THAT(Printed(Format::kJson).Error(Error(errors::kUnreachable, "x")),
             ContainsText("\"metadata\":{\"address\":\"here:1\",\"address_source\":\"KVS_ADDRESS\"}"));
}

TEST_CASE("notes are for people") {
  Printed text(Format::kText);
  text->Note("waiting");
  CHECK(text.err() == "kvs: waiting\n");
  Printed json(Format::kJson);
  json->Note("waiting");
  CHECK(json.err().empty());
}

TEST_CASE("what is listed stays on its line and commands no terminal") {
  CHECK(OnOneLine("plain, ünïcödé") == "plain, ünïcödé");
  CHECK(OnOneLine("a\nb\tc\\d\x1b[2J\x7f") == "a\\nb\\tc\\\\d\\x1b[2J\\x7f");
  CHECK(OnOneLine("a\xc2\x9b"
                  "1m\xc2\x85\xc2\xa0\xc2") == "a\\xc2\\x9b1m\\xc2\\x85\xc2\xa0\xc2");
}

TEST_CASE("the exit status tells whether asking again can help") {
  CHECK(ExitStatusOf(absl::OkStatus()) == 0);
  CHECK(ExitStatusOf(Error(errors::kKeyNotFound, "")) == 1);
  CHECK(ExitStatusOf(Error(errors::kOverflow, "")) == 1);
  CHECK(ExitStatusOf(Error(errors::kInvalidKey, "")) == 1);
  CHECK(ExitStatusOf(UsageError("")) == 2);
  CHECK(ExitStatusOf(Error(errors::kInvalidAddress, "")) == 2);
  CHECK(ExitStatusOf(Error(errors::kInvalidCredentials, "")) == 2);
  CHECK(ExitStatusOf(Error(errors::kUnreachable, "")) == 3);
  CHECK(ExitStatusOf(Error(errors::kReplaying, "")) == 3);
  CHECK(ExitStatusOf(Error(errors::kOutcomeUnknown, "")) == 3);
}

}  // namespace
}  // namespace kvs::cli
