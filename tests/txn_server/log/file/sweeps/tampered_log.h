// TamperedLog: opens a SweptLog after some of it was changed, and holds what came of it against what has to come of it.
#pragma once

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/swept_log.h"

namespace kvs::txn {

// What files become; none for one that is gone.
using FileChanges = std::map<std::string, std::optional<std::string>>;

// What opening has to come to. Everything but a refusal is named here, with the reason why it is none.
enum class Outcome {
  kRefused,       // with file, offset and revision, and nothing was changed
  kNoDamage,      // the bytes are as they were, or as a crash leaves them that took nothing
  kBehindTheEnd,  // what was never written is not zero, as an interrupted write leaves it: told; nothing is lost
  kLastTorn,      // a sector of the last frame is zero: it is lost, which is told with its revisions
  kLastAbsent,    // all of the last frame, which was not sealed, is zero: this is the log from before it was written
};

inline const char* NameOf(Outcome outcome) {
  static constexpr const char* kNames[] = {"refused", "no damage", "told as torn behind the last frame, nothing lost",
                                           "last frame torn", "last frame absent"};
  return kNames[static_cast<int>(outcome)];
}

// Of the same segment when it was made as a spare.
inline std::string SpareHeader(const SegmentHeader& header) {
  SegmentHeader spare;
  spare.log_id = header.log_id;
  spare.segment_id = header.segment_id;
  spare.segment_bytes = header.segment_bytes;
  return EncodeSegmentHeader(spare);
}

class TamperedLog {
 public:
  explicit TamperedLog(SweptLog& log) : log_(log), frame_(log.frames().back()) { Restore(); }

  const std::map<Outcome, size_t>& counts() const { return counts_; }
  size_t count(Outcome outcome) const { return counts_.count(outcome) > 0 ? counts_.at(outcome) : 0; }
  size_t cases() const {
    size_t sum = 0;
    for (const auto& [outcome, count] : counts_) sum += count;
    return sum;
  }

  // From here on, what is right in itself is put into other places.
  void Rearrange() { rearranged_ = true; }

  // How many transactions were lost in all cases together.
  uint64_t lost_transactions() const { return lost_transactions_; }

  void Print(const std::string& name) const {
    std::cout << name << ": " << cases() << " cases";
    for (const auto& [outcome, count] : counts_) std::cout << "; " << NameOf(outcome) << ": " << count;
    std::cout << std::endl;
  }

  // Opens the log with this damage. What is not as it has to be, for people; empty if all is.
  std::string Try(const FileChanges& damage) {
    const Outcome expected = Judge(damage);
    ++counts_[expected];
    Apply(damage);
    log_.ledger().files().TakeTrace();
    const absl::Status status = log_.ledger().Open();
    std::string problem;
    if (expected == Outcome::kRefused) {
      problem = CheckRefused(status, damage);
    } else {
      problem = status.ok() ? CheckOpened(expected) : absl::StrCat("refused: ", status.message());
    }
    log_.ledger().Kill();
    status.ok() ? Restore() : Undo(damage);
    return problem.empty() ? "" : absl::StrCat("expected: ", NameOf(expected), "; ", problem);
  }

 private:
  using Place = std::pair<uint64_t, uint64_t>;  // segment id and offset

  void Restore() {
    const auto names = log_.ledger().files().List("/log");
    for (const std::string& name : *names) log_.ledger().files().Delete("/log/" + name);
    for (const auto& [path, bytes] : log_.disk()) log_.ledger().files().SetContents(path, bytes);
  }

  void Apply(const FileChanges& damage) {
    for (const auto& [path, bytes] : damage) {
      bytes ? log_.ledger().files().SetContents(path, *bytes) : log_.ledger().files().Delete(path);
    }
  }

  void Undo(const FileChanges& damage) {
    for (const auto& [path, bytes] : damage) {
      const auto intact = log_.disk().find(path);
      log_.ledger().files().Delete(path);
      if (intact != log_.disk().end()) log_.ledger().files().SetContents(path, intact->second);
    }
  }

  // The files that are not as they were.
  FileChanges Changes(const FileChanges& damage) const {
    FileChanges changes;
    for (const auto& [path, bytes] : damage) {
      const auto intact = log_.disk().find(path);
      const bool is_there = intact != log_.disk().end();
      const bool same = bytes ? is_there && *bytes == intact->second : !is_there;
      if (!same) changes[path] = bytes;
    }
    return changes;
  }

  Outcome Judge(const FileChanges& damage) const {
    const FileChanges changes = Changes(damage);
    if (changes.empty()) return Outcome::kNoDamage;
    if (changes.size() > 1) return Outcome::kRefused;
    const auto& [path, bytes] = *changes.begin();
    // Without its mark it is a log that was not closed.
    if (path == SweptLog::MarkPath()) return bytes ? Outcome::kRefused : Outcome::kNoDamage;
    const Outcome outcome = JudgeSegment(path, bytes);
    return log_.is_closed() && outcome != Outcome::kNoDamage ? Outcome::kRefused : outcome;
  }

  // Of a log that nothing says was closed.
  Outcome JudgeSegment(const std::string& path, const std::optional<std::string>& bytes) const {
    // The spare behind the first one may not have been made yet.
    const SweptLog::SegmentAt& last = log_.segments().back();
    const bool is_second_spare = last.id > log_.newest_in_use().id + 1 && path == FileLedger::Path(last.id);
    if (!bytes) return is_second_spare ? Outcome::kNoDamage : Outcome::kRefused;
    if (IsCutWhereFramesEnd(path, *bytes) || IsSpareAsMade(path, *bytes)) return Outcome::kNoDamage;
    if (path != FileLedger::Path(frame_.segment_id) || bytes->size() != log_.disk().at(path).size()) {
      return Outcome::kRefused;
    }
    return JudgeNewest(*bytes, log_.disk().at(path));
  }

  // A segment with a successor is cut behind its last frame sooner or later.
  bool IsCutWhereFramesEnd(const std::string& path, const std::string& bytes) const {
    for (const SweptLog::SegmentAt& segment : log_.segments()) {
      if (path != FileLedger::Path(segment.id)) continue;
      const bool has_successor = segment.id < log_.newest_in_use().id;
      return has_successor && bytes == log_.disk().at(path).substr(0, segment.valid_bytes);
    }
    return false;
  }

  // The first spare as it was before the log was sealed, which was the last that was written: it takes nothing with it.
  // Or the one that the log would have made next.
  bool IsSpareAsMade(const std::string& path, const std::string& bytes) const {
    const uint64_t first = log_.newest_in_use().id + 1;
    const uint64_t next = log_.segments().back().id + 1;
    if (path != FileLedger::Path(first) && path != FileLedger::Path(next)) return false;
    SegmentHeader header;
    REQUIRE(DecodeSegmentHeader(log_.Bytes(first), &header).empty());
    header.segment_id = path == FileLedger::Path(first) ? first : next;
    return bytes == SpareHeader(header) + std::string(FileLedger::kSmallSegment - kSegmentHeaderBytes, '\0');
  }

  // Of the segment with the last frame.
  Outcome JudgeNewest(const std::string& bytes, const std::string& intact) const {
    if (bytes.compare(0, frame_.offset, intact, 0, frame_.offset) != 0) return Outcome::kRefused;
    const bool is_frame_intact = bytes.compare(frame_.offset, frame_.end - frame_.offset, intact, frame_.offset,
                                               frame_.end - frame_.offset) == 0;
    if (is_frame_intact) return JudgeBehindTheEnd(absl::string_view(bytes).substr(frame_.end));
    if (log_.is_sealed()) return Outcome::kRefused;
    const absl::string_view frame = absl::string_view(bytes).substr(frame_.offset, frame_.end - frame_.offset);
    if (!IsZero(absl::string_view(bytes).substr(frame_.end))) return Outcome::kRefused;
    if (IsZero(frame)) return Outcome::kLastAbsent;
    return AnySector(frame, [](absl::string_view sector) { return IsZero(sector); }) ? Outcome::kLastTorn
                                                                                     : Outcome::kRefused;
  }

  // The last frame is whole: what follows looks like a write that was interrupted, or it does not.
  static Outcome JudgeBehindTheEnd(absl::string_view behind) {
    const absl::string_view first = behind.substr(0, kSectorBytes);
    if (IsZero(first)) {
      return AnySector(behind, BeginsWithFrameMagic) ? Outcome::kRefused : Outcome::kBehindTheEnd;
    }
    FrameHeader header;
    const bool is_beginning_of_frame = first.front() == kManySectorsMagic.front() && first.back() == '\0' &&
                                       IsZero(behind.substr(kSectorBytes)) &&
                                       !DecodeFrameHeader(first, &header).empty();
    return is_beginning_of_frame ? Outcome::kBehindTheEnd : Outcome::kRefused;
  }

  template <class Predicate>
  static bool AnySector(absl::string_view bytes, Predicate predicate) {
    for (size_t at = 0; at < bytes.size(); at += kSectorBytes) {
      if (predicate(bytes.substr(at, kSectorBytes))) return true;
    }
    return false;
  }

  std::string CheckRefused(const absl::Status& status, const FileChanges& damage) {
    if (status.ok()) return absl::StrCat("it was opened", Notices());
    const std::vector<std::string> trace = log_.ledger().files().TakeTrace();
    if (!trace.empty()) return absl::StrCat("it was changed: ", trace.front());
    if (!Is(status, errors::kDamagedLog)) return absl::StrCat("it is not called damaged: ", status.message());
    uint64_t segment_id = 0;
    uint64_t offset = 0;
    uint64_t revision = 0;
    const std::string file = MetadataOf(status, "file");
    if (damage.count(SweptLog::MarkPath()) > 0) return CheckMarkRefused(status);
    if (!absl::SimpleAtoi(file.substr(std::min<size_t>(5, file.size()), 10), &segment_id) ||
        !absl::SimpleAtoi(MetadataOf(status, "offset"), &offset) ||
        !absl::SimpleAtoi(MetadataOf(status, "revision"), &revision) || file != FileLedger::Path(segment_id)) {
      return absl::StrCat("file, offset and revision are not told: ", status.message());
    }
    std::string problem = CheckPlace({segment_id, offset}, revision, Changes(damage));
    return problem.empty() ? "" : absl::StrCat(problem, ", and told is: ", status.message());
  }

  // The place that is told is the mark's, or the end of the log, where it says something else.
  std::string CheckMarkRefused(const absl::Status& status) const {
    const std::string file = MetadataOf(status, "file");
    const bool is_mark = file == SweptLog::MarkPath() && MetadataOf(status, "offset") == "0";
    const bool is_end =
        file == FileLedger::Path(frame_.segment_id) && MetadataOf(status, "offset") == absl::StrCat(frame_.end);
    const bool names_revision = MetadataOf(status, "revision") == absl::StrCat(log_.truth().last_revision());
    if ((is_mark || is_end) && names_revision) return "";
    return absl::StrCat("told is neither the mark nor the end of the log: ", status.message());
  }

  // Of bytes that were changed in one file, the place that is told is the one that differs, or the beginning of the
  // header or frame that it is in, and the revision is the newest one before it. Where what is right in itself was put
  // in another place, that comes out there, or where it does not fit to what is before and behind it.
  std::string CheckPlace(const Place& told, uint64_t revision, const FileChanges& changes) const {
    const uint64_t first = SegmentOf(changes.begin()->first);
    const uint64_t last = SegmentOf(changes.rbegin()->first);
    const uint64_t reached = std::min(first - 1, log_.newest_in_use().id);
    if (told.first < reached || told.first > last + 1) return absl::StrCat("the damage is in segments from ", first);
    if (changes.size() > 1 || !changes.begin()->second || rearranged_) return "";
    const uint64_t at = FirstDifference(*changes.begin()->second, log_.Bytes(first));
    const uint64_t before = log_.RevisionAt(told.first, told.second);
    if (told >= Place{first, log_.BeginOf(first, at)} && told <= Place{first, at} && revision == before) return "";
    return absl::StrCat("the damage is at offset ", at, " of segment ", first, " behind revision ", before);
  }

  static uint64_t SegmentOf(const std::string& path) {
    uint64_t id = 0;
    REQUIRE(absl::SimpleAtoi(path.substr(5, 10), &id));
    return id;
  }

  static uint64_t FirstDifference(const std::string& a, const std::string& b) {
    const auto size = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
    return static_cast<uint64_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first - a.begin());
  }

  std::string CheckOpened(Outcome expected) {
    const bool loses = expected == Outcome::kLastTorn || expected == Outcome::kLastAbsent;
    const uint64_t whole = log_.truth().last_revision();
    const uint64_t kept = loses && frame_.count > 0 ? frame_.first_revision - 1 : whole;
    lost_transactions_ += whole - kept;
    TxnLog& log = log_.ledger().log();
    if (log.position().durable_revision != kept) {
      return absl::StrCat("it ends with revision ", log.position().durable_revision, ", not ", kept);
    }
    const ReadBack found = log_.truth().Read(log);
    if (!found.problem.empty()) return found.problem;
    if (found.revision != kept) return absl::StrCat("what is read ends with revision ", found.revision);
    return CheckNotices(expected);
  }

  std::string CheckNotices(Outcome expected) const {
    const std::vector<std::string> notices = log_.ledger().notices();
    const bool is_told = expected == Outcome::kBehindTheEnd || expected == Outcome::kLastTorn;
    if (notices.size() != (is_told ? 1 : 0)) return absl::StrCat(notices.size(), " things are told", Notices());
    if (!is_told) return "";
    const uint64_t offset = expected == Outcome::kLastTorn ? frame_.offset : frame_.end;
    const uint64_t first = expected == Outcome::kLastTorn ? frame_.first_revision : log_.truth().last_revision() + 1;
    const std::string place =
        absl::StrCat("cut a torn frame off ", FileLedger::Path(frame_.segment_id), " at offset ", offset, " ");
    const bool names_revisions =
        absl::StrContains(notices[0], absl::StrCat("they began at ", first)) ||
        (expected == Outcome::kLastTorn &&
         absl::StrContains(notices[0], absl::StrCat("revisions ", first, " to ", first + frame_.count - 1)));
    if (absl::StartsWith(notices[0], place) && names_revisions) return "";
    return "what is told is not what was cut" + Notices();
  }

  std::string Notices() const {
    std::string text;
    for (const std::string& notice : log_.ledger().notices()) absl::StrAppend(&text, "; ", notice);
    return text;
  }

  SweptLog& log_;
  const SweptLog::FrameAt frame_;  // the last one
  std::map<Outcome, size_t> counts_;
  uint64_t lost_transactions_ = 0;
  bool rearranged_ = false;
};

}  // namespace kvs::txn
