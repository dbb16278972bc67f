// The errors that kvs answers: one table of reasons, each with its canonical code.
//
// Inside the servers an error is an absl::Status that carries a google.rpc.ErrorInfo as a payload; at the border it
// becomes a grpc::Status with the same details (common/rpc/status.h). It may carry other messages as payloads too.
// Programs branch on the reason, never on the text. The message says what happened and what to do next. docs/errors.md
// explains every reason, which a test checks.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <string>
#include <utility>

namespace kvs {

struct ErrorKind {
  absl::StatusCode code;
  absl::string_view reason;
};

namespace errors {

#define KVS_ERRORS(X)                                                       \
  /* The request is wrong; nothing was changed. */                          \
  X(kMalformedRequest, kInvalidArgument, "MALFORMED_REQUEST")               \
  X(kMissingField, kInvalidArgument, "MISSING_FIELD")                       \
  X(kInvalidKey, kInvalidArgument, "INVALID_KEY")                           \
  X(kInvalidText, kInvalidArgument, "INVALID_TEXT")                         \
  X(kValueTooLarge, kInvalidArgument, "VALUE_TOO_LARGE")                    \
  X(kNotFinite, kInvalidArgument, "NOT_FINITE")                             \
  X(kUnknownType, kInvalidArgument, "UNKNOWN_TYPE")                         \
  X(kInvalidLimit, kInvalidArgument, "INVALID_LIMIT")                       \
  X(kInvalidPrecondition, kInvalidArgument, "INVALID_PRECONDITION")         \
  X(kInvalidTtl, kInvalidArgument, "INVALID_TTL")                           \
  X(kInvalidRequestId, kInvalidArgument, "INVALID_REQUEST_ID")              \
  X(kRequestIdReused, kInvalidArgument, "REQUEST_ID_REUSED")                \
  X(kBatchTooLarge, kInvalidArgument, "BATCH_TOO_LARGE")                    \
  X(kLengthMismatch, kInvalidArgument, "LENGTH_MISMATCH")                   \
  X(kUnsupportedOption, kUnimplemented, "UNSUPPORTED_OPTION")               \
  X(kUnknownService, kNotFound, "UNKNOWN_SERVICE")                          \
  /* The state does not allow it; nothing was changed. */                   \
  X(kKeyNotFound, kNotFound, "KEY_NOT_FOUND")                               \
  X(kKeyExists, kAlreadyExists, "KEY_EXISTS")                               \
  X(kRevisionMismatch, kAborted, "REVISION_MISMATCH")                       \
  X(kOverflow, kOutOfRange, "OVERFLOW")                                     \
  X(kResultTooLarge, kResourceExhausted, "RESULT_TOO_LARGE")                \
  X(kCollectionTooLarge, kResourceExhausted, "COLLECTION_TOO_LARGE")        \
  X(kReplyTooLarge, kResourceExhausted, "REPLY_TOO_LARGE")                  \
  X(kMemoryFull, kResourceExhausted, "MEMORY_FULL")                         \
  X(kTooManyKeys, kResourceExhausted, "TOO_MANY_KEYS")                      \
  /* The server is busy or not ready; nothing was changed. */               \
  X(kPendingWindowFull, kResourceExhausted, "PENDING_WINDOW_FULL")          \
  X(kTooManyWaiting, kResourceExhausted, "TOO_MANY_WAITING")                \
  X(kTooManyScans, kResourceExhausted, "TOO_MANY_SCANS")                    \
  X(kScanOvertaken, kAborted, "SCAN_OVERTAKEN")                             \
  X(kScanStalled, kAborted, "SCAN_STALLED")                                 \
  X(kTooManyPipelines, kResourceExhausted, "TOO_MANY_PIPELINES")            \
  X(kUntakenAnswers, kResourceExhausted, "UNTAKEN_ANSWERS")                 \
  X(kReplaying, kUnavailable, "REPLAYING")                                  \
  X(kDraining, kUnavailable, "DRAINING")                                    \
  X(kNotApplied, kUnavailable, "NOT_APPLIED")                               \
  X(kPendingWrite, kUnavailable, "PENDING_WRITE")                           \
  X(kOutcomeUnknown, kDeadlineExceeded, "OUTCOME_UNKNOWN")                  \
  /* Made by clients, before anything was sent. */                          \
  X(kInvalidAddress, kInvalidArgument, "INVALID_ADDRESS")                   \
  X(kInvalidCredentials, kInvalidArgument, "INVALID_CREDENTIALS")           \
  X(kUnreachable, kUnavailable, "UNREACHABLE")                              \
  /* The ledger. */                                                         \
  X(kNotPermitted, kPermissionDenied, "NOT_PERMITTED")                      \
  X(kUnknownPartition, kNotFound, "UNKNOWN_PARTITION")                      \
  X(kWriterActive, kFailedPrecondition, "WRITER_ACTIVE")                    \
  X(kFenced, kAborted, "FENCED")                                            \
  X(kGap, kFailedPrecondition, "GAP")                                       \
  X(kMalformedFrame, kInvalidArgument, "MALFORMED_FRAME")                   \
  X(kNoSpace, kResourceExhausted, "NO_SPACE")                               \
  X(kCompacted, kOutOfRange, "COMPACTED")                                   \
  X(kLedgerLostData, kDataLoss, "LEDGER_LOST_DATA")                         \
  X(kDamagedLog, kDataLoss, "DAMAGED_LOG")                                  \
  X(kUnsupportedLogVersion, kFailedPrecondition, "UNSUPPORTED_LOG_VERSION") \
  X(kLogInUse, kFailedPrecondition, "LOG_IN_USE")                           \
  X(kUnusableDirectory, kFailedPrecondition, "UNUSABLE_DIRECTORY")          \
  X(kUnusableDatabase, kFailedPrecondition, "UNUSABLE_DATABASE")            \
  X(kDatabaseUnavailable, kUnavailable, "DATABASE_UNAVAILABLE")             \
  X(kLogFailed, kInternal, "LOG_FAILED")

#define KVS_DEFINE_ERROR(name, code, reason) inline constexpr ErrorKind name{absl::StatusCode::code, reason};
KVS_ERRORS(KVS_DEFINE_ERROR)
#undef KVS_DEFINE_ERROR

// Every reason above, in that order.
inline constexpr ErrorKind kAll[] = {
#define KVS_LIST_ERROR(name, code, reason) name,
    KVS_ERRORS(KVS_LIST_ERROR)
#undef KVS_LIST_ERROR
};
#undef KVS_ERRORS

}  // namespace errors

using ErrorMetadata = absl::Span<const std::pair<std::string, std::string>>;

// An error of this kind, its ErrorInfo as payload.
absl::Status Error(ErrorKind kind, absl::string_view message, ErrorMetadata metadata = {});

// Whether `status` is an error of this kind.
bool Is(const absl::Status& status, ErrorKind kind);

// The reason of an error made by Error() or received from a kvs server, empty if it has none.
std::string ReasonOf(const absl::Status& status);

// The value of a metadata entry of an error, empty if it has none by that name.
std::string MetadataOf(const absl::Status& status, absl::string_view name);

// The same error with one more entry in its metadata; as it is if it was not made by Error().
absl::Status WithMetadata(absl::Status status, absl::string_view name, absl::string_view value);

// The same error, with all that it carries, but with another message.
absl::Status WithMessage(const absl::Status& status, absl::string_view message);

// Where the serialized google.rpc.ErrorInfo is kept in an absl::Status.
inline constexpr absl::string_view kErrorInfoTypeUrl = "type.googleapis.com/google.rpc.ErrorInfo";
// The same for the kvs.v1.PreconditionFailure of a mutation whose precondition did not hold.
inline constexpr absl::string_view kPreconditionFailureTypeUrl = "type.googleapis.com/kvs.v1.PreconditionFailure";

}  // namespace kvs
